// data.s - every data directive
.data
bytes: .byte 1, 2 , 3
.2byte 1, 2
.short 3
.hword 4
.4byte 5
.long 6
.int 7
.word 8
.8byte 9
.quad 10
.xword 11
.dword 12
.ascii "abc", "de\n"
.ascii "x" "y"
.asciz "abc", "d"
.string "e"
.ascii "\101\7\0\x41\x0a\b\f\r\t\"\\é"
.ascii ""
.asciz ""
.ascii "semi;colon // no comment /* none */"
.space 4
.space 3, 7
.skip 2, 'a'
.zero 5
.fill 3
.fill 2, 2
.fill 2, 4, 0x11223344
.fill 2, 8, 0x11223344
.fill 3, 1, 255
.p2align 3
.byte 1
.p2align 2, 0xee
.byte 2
.balign 16
.byte 3
.align 4
.byte 4
.p2align 4, , 3
.byte 5
.p2align 4, 1, 15
.float 1.5, 2, -0.25
.single 3.0
.double 1.5e3, -2.5
.p2align 3
pointers: .quad bytes, pointers + 8, away, away - 4
.byte 1 /* a comment
over lines */ , 2
.byte 3 // last
