/* What an image asks of the processor, for the host to read before it sends the image: a
 * line "hawser-needs: avx2=-mavx2 ..." of the processor's features, as the kernel calls
 * them, and of the flag that allowed each, the newest first. Compiled with all
 * flags that the kernels had;
 * devices/agent/linux/isa.c reports at least the words that stand here for Linux machines.
 */
extern const char isa_needs[];
const char isa_needs[] = "hawser-needs:"
#if defined(__x86_64__) || defined(__i386__)
#ifdef __AMX_BF16__
			 " amx_bf16=-mamx-bf16"
#endif
#ifdef __AMX_INT8__
			 " amx_int8=-mamx-int8"
#endif
#ifdef __AMX_TILE__
			 " amx_tile=-mamx-tile"
#endif
#ifdef __AVXVNNI__
			 " avx_vnni=-mavxvnni"
#endif
#ifdef __AVX512FP16__
			 " avx512_fp16=-mavx512fp16"
#endif
#ifdef __AVX512BF16__
			 " avx512_bf16=-mavx512bf16"
#endif
#ifdef __AVX512VPOPCNTDQ__
			 " avx512_vpopcntdq=-mavx512vpopcntdq"
#endif
#ifdef __AVX512BITALG__
			 " avx512_bitalg=-mavx512bitalg"
#endif
#ifdef __AVX512VNNI__
			 " avx512_vnni=-mavx512vnni"
#endif
#ifdef __AVX512VBMI2__
			 " avx512_vbmi2=-mavx512vbmi2"
#endif
#ifdef __AVX512VBMI__
			 " avx512vbmi=-mavx512vbmi"
#endif
#ifdef __AVX512IFMA__
			 " avx512ifma=-mavx512ifma"
#endif
#ifdef __AVX512VL__
			 " avx512vl=-mavx512vl"
#endif
#ifdef __AVX512DQ__
			 " avx512dq=-mavx512dq"
#endif
#ifdef __AVX512BW__
			 " avx512bw=-mavx512bw"
#endif
#ifdef __AVX512CD__
			 " avx512cd=-mavx512cd"
#endif
#ifdef __AVX512F__
			 " avx512f=-mavx512f"
#endif
#ifdef __GFNI__
			 " gfni=-mgfni"
#endif
#ifdef __XOP__
			 " xop=-mxop"
#endif
#ifdef __FMA4__
			 " fma4=-mfma4"
#endif
#ifdef __MOVBE__
			 " movbe=-mmovbe"
#endif
#ifdef __LZCNT__
			 " abm=-mlzcnt"
#endif
#ifdef __BMI2__
			 " bmi2=-mbmi2"
#endif
#ifdef __BMI__
			 " bmi1=-mbmi"
#endif
#ifdef __F16C__
			 " f16c=-mf16c"
#endif
#ifdef __FMA__
			 " fma=-mfma"
#endif
#ifdef __AVX2__
			 " avx2=-mavx2"
#endif
#ifdef __AVX__
			 " avx=-mavx"
#endif
#ifdef __POPCNT__
			 " popcnt=-mpopcnt"
#endif
#ifdef __SSE4_2__
			 " sse4_2=-msse4.2"
#endif
#ifdef __SSE4_1__
			 " sse4_1=-msse4.1"
#endif
#ifdef __SSSE3__
			 " ssse3=-mssse3"
#endif
#ifdef __SSE3__
			 " pni=-msse3"
#endif
#elif defined(__aarch64__)
#ifdef __ARM_FEATURE_SVE2
			 " sve2=+sve2"
#endif
#ifdef __ARM_FEATURE_SVE
			 " sve=+sve"
#endif
#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
			 " bf16=+bf16"
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
			 " i8mm=+i8mm"
#endif
#ifdef __ARM_FEATURE_DOTPROD
			 " asimddp=+dotprod"
#endif
#ifdef __ARM_FEATURE_FP16_VECTOR_ARITHMETIC
			 " asimdhp=+fp16"
#endif
#ifdef __ARM_FEATURE_QRDMX
			 " asimdrdm=+rdma"
#endif
#ifdef __ARM_FEATURE_CRC32
			 " crc32=+crc"
#endif
#ifdef __ARM_FEATURE_ATOMICS
			 " atomics=+lse"
#endif
#elif defined(__arm__) && __ARM_ARCH_PROFILE != 'M'
#ifdef __ARM_ARCH_EXT_IDIV__
			 " idiva=+idiv"
#endif
#ifdef __ARM_FEATURE_FMA
			 " vfpv4=-mfpu=neon-vfpv4"
#endif
#ifdef __ARM_NEON
			 " neon=-mfpu=neon"
#endif
#elif defined(__riscv)
#ifdef __riscv_zfh
			 " zfh=_zfh"
#endif
#ifdef __riscv_zbs
			 " zbs=_zbs"
#endif
#ifdef __riscv_zbb
			 " zbb=_zbb"
#endif
#ifdef __riscv_zba
			 " zba=_zba"
#endif
#ifdef __riscv_v
			 " v=v"
#endif
#elif defined(__arm__) /* a board: words of devices/board_record.c */
#ifdef __ARM_FEATURE_MVE
			 " mve=+mve"
#endif
#ifdef __ARM_FEATURE_DSP
			 " dsp=+dsp"
#endif
#if defined(__ARM_FP) && __ARM_FP & 8
			 " double=-mfpu=fpv5-d16"
#endif
#ifdef __ARM_FP
			 " fpu=-mfloat-abi=hard"
#endif
#endif
			 "\n";
