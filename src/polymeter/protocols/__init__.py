"""The meters' languages: bytes to values and back, without IO, clock, randomness or logging.

Each package here can be used alone. All have the same rooms: `frames`, `connection`,
`procedures`, `decode`, `meter`; what they share stands beside them: `wire` (cursors, records,
the explained tree, errors), `procedure` (the vocabulary of conversations), `crc`, `obis`, `units`.
"""
