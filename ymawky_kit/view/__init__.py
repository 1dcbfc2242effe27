"""Views: what a program is and does, as plain text and as HTML.

Each is made of plain data and knows nothing of emulator or assembler; the notebooks'
functions in `ymawky_kit.lab` fill them.

    listing    Listing, Dump     code with its bytes; memory and files in hexadecimal
    registers  Registers         before and after
    trace      Trace             the trace player (static/yk-trace.js)
    timeline   Timeline          system calls, one lane a process
    exchange   Exchange, Bytes   a request and its reply, as lines and byte by byte
    coverage   Coverage          code with a mark at what was never reached
    filemap    FileMap           a file's regions, and the memory they become
    encoding   EncodingCard      the 32 bits of one instruction
    lexer      Arm64Lexer        colours for assembly
"""
