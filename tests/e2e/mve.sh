#!/bin/sh
# Cortex-M55 with MVE, emulated: the set's instructions are in its code, what it counts a
# multiply-add keeps the goal, and whole models answer with it and take fewer instructions.
set -u
. tests/e2e/tap

for p in qemu-system-arm arm-none-eabi-gcc arm-none-eabi-objdump; do
	if ! command -v $p >/dev/null; then
		skip 'kernels for Cortex-M55' "no $p"
		finish
		exit
	fi
done
flags='-mcpu=cortex-m55 -mthumb -mfloat-abi=hard -std=c11 -I. -O2 -fno-schedule-insns'
listing() { # KERNEL
	arm-none-eabi-gcc $flags -c "src/infer/opt/armv81m-mve/$1.c" -o "$DIR/$1.o" &&
		arm-none-eabi-objdump -d -m armv8.1-m.main "$DIR/$1.o"
}
# VMLADAVA is listed by its other name.
for kernel in linear_i8 linear_i4; do
	check "$kernel: disassemble" listing $kernel
	prints "$kernel: VMLADAVA" '[[:space:]]vmlava\.s8' out
	prints "$kernel: low-overhead loop begins" '[[:space:]](dls|wls|dlstp\.8)[[:space:]]+lr' out
	prints "$kernel: and ends" '[[:space:]](le|letp)[[:space:]]+lr' out
done
check 'int8: build what counts' "${MAKE:-make}" -s build/mve/count.elf
check 'int8: at most 0.2 instructions a multiply-add' qemu-system-arm -M mps3-an547 \
	-icount shift=6,sleep=off -display none -nodefaults -nic none -semihosting \
	-kernel build/mve/count.elf
prints 'counted: 64 to 256' 'int8 +64 +256 +0\.1' out
prints 'counted: 256 to 64' 'int8 +256 +64 +0\.1' out

measure() { # BITS KERNELS [GENE]
	"$HAWSER" measure --device mps3-an547 --task intent-slots:5:7 --processes 2 --genome \
		"enc;v=99;t=12;d=32;e=32;eb=$1;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=4;conv=0;opt=O2;kern=$2${3:-};L=h2k2x16f64r0b$1"
}
count() {
	sed -n 's/^instructions \([0-9]*\) .*/\1/p' "$DIR/out"
}
check 'measure, portable kernels' measure 8 ref
portable=$(count)
for bits in 8 4 32; do
	check "measure, $bits bits" measure $bits opt
	prints "golden check, $bits bits" '^golden +outputs agree' out
	[ $bits = 8 ] && n=$(count)
done
check 'measure, attention in int8' measure 8 opt ';attn=8'
prints 'golden check, attention in int8' '^golden +outputs agree' out
if [ -n "$portable" ] && [ -n "$n" ] && [ $((n * 8)) -lt "$portable" ]; then
	ok 'an eighth of the instructions'
else
	not_ok 'an eighth of the instructions' "'$n' against '$portable'"
fi
finish
