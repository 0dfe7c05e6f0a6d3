"""DLMS/COSEM (IEC 62056): the language of most smart meters."""
