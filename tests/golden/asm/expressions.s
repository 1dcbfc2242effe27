// expressions.s - what the operators make of numbers and labels
.equ A, 5
.set B, A * 2 + 1
C = (A + B) << 2
.quad 1==1, 1==2, 1!=2, 3>2, 1<2, 1<=1, 2>=3, 1<>2
.quad 1|2==2, 1+2*3<<1, 6&3+1, 1||0, 1&&0, 0||0, 2^3|1, 10-2-3, 2-3
.quad 100/7, -100/7, 100/-7, -100%7, 100%-7, ~0, !5, !0, -3, +4, - -4, ~A
.quad 'a', '\n', '\\', '\'', 'a'+1, 0xffffffffffffffff, 0b101, 017, 0, 0X1F
.quad 1<<63, 0x7fffffffffffffff+1, 8-3&5, 1<<2+1, 5<3==0, (1+2)*(3+4), ((A))
.quad A, B, C, A-B, -C, A<B, A*B-C/A%3
.byte 255, -1, -128, 'z', A
.short 65535, -32768, A
.long 0xffffffff, -1, A
.set A, 6
.quad A, B
begin:
.space 3
middle:
.space 10 + A
Lend:
.byte Lend - middle
.quad Lend - begin, . - begin, middle - begin + 1, begin - Lend, Lend - middle < 20
.quad begin, middle + 4, Lend - 1, begin + A*2
.equ Lspan, Lend - begin
.equ alias, middle + 1
    .p2align 2
    mov     x0, #Lspan
    mov     x1, #(Lend - middle)
    .p2align 3
.quad alias, alias + 1, Lspan
