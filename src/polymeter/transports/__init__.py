"""Lines to meters, and the runners that drive a procedure over them.

`runners` (asyncio and blocking) and `simulated` drive; `tcp`, `udp`, `serial`, `modem` and
`loopback` carry; `wrappers` trace, record, replay and disturb; `urls` says which line an address
means and opens it.
"""
