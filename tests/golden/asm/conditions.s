// conditions.s - assembling by condition
.equ ONE, 1
.if ONE
.byte 1
.else
.byte 2
.endif
.if ONE == 2
.byte 3
.elseif ONE == 1
.byte 4
.elseif 1
.byte 5
.else
.byte 6
.endif
.ifdef ONE
.byte 7
.endif
.ifndef ONE
.byte 8
.else
.byte 9
.endif
.ifdef NEVER
.if nonsense here
.else
.endif
bad mnemonic
.byte 10
.endif
.ifeq ONE - 1
.byte 11
.endif
.ifne ONE
.byte 12
.endif
.ifgt ONE
.byte 13
.endif
.ifge ONE - 1
.byte 14
.endif
.iflt ONE
.byte 15
.endif
.ifle ONE - 2
.byte 16
.endif
.ifb
.byte 17
.endif
.ifnb something
.byte 18
.endif
.ifc a b, a b
.byte 19
.endif
.ifnc a, b
.byte 20
.endif
.ifeqs "a", "a"
.byte 21
.endif
.ifnes "a", "b"
.byte 22
.endif
.if 0
.if 1
.byte 23
.endif
.else
.byte 24
.endif
