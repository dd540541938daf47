/* CLONES: a function compiled for several x86 levels. Not under the address and thread
 * sanitisers, whose start-up comes after that of the choosing code; not where compilers
 * lack it. */
#ifndef HAWSER_TRAIN_CLONES_H
#define HAWSER_TRAIN_CLONES_H

#if !defined(__GNUC__) || defined(__clang__) || !defined(__x86_64__) ||                  \
	!defined(__linux__) || defined(__SANITIZE_ADDRESS__) ||                          \
	defined(__SANITIZE_THREAD__)
#define CLONES
#elif __GNUC__ >= 12
#define CLONES                                                                           \
	__attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#endif

#endif
