#!/bin/sh
# `make bench-core` in its quick form, without the peer, so that it needs no network.
set -u
. tests/e2e/tap
build=$(dirname "$HAWSER")

check 'it runs' env BENCH_QUICK=1 BENCH_SHAPES=1 BENCH_ROUNDS=1 BENCH_PYTHON= \
	BENCH_DIR="$DIR/bench" "$build/bench-core"
prints 'it names the kernels of OpenBLAS' '^OpenBLAS +core [A-Za-z0-9]' out
prints 'it times the portable core' '^  int8 ref +[0-9.]+ us' out
prints 'its portable fp32 gives the right answer' '^  fp32 ref +[0-9.]+ us' out
prints 'it counts the goals' '^[0-9]+ of [0-9]+ goals met' out
prints 'a missing peer is not measured' 'int8: times faster than ONNX Runtime +SKIP: no peer' out
check 'it writes everything' test -s "$DIR/bench/core.json"
if command -v python3 >/dev/null 2>&1; then
	check 'as JSON' python3 -c 'import json, sys; json.load(open(sys.argv[1]))["goals"][0]["wanted"]' \
		"$DIR/bench/core.json"
else
	skip 'as JSON' 'no python3'
fi
exits 'it refuses shapes that it does not know' 2 env BENCH_SHAPES=7 BENCH_DIR="$DIR/bench" \
	"$build/bench-core"
prints 'and says which there are' "bad BENCH_SHAPES '7'" err
# A Python that does not speak: the rest is measured all the same.
check 'it does without a broken peer' env BENCH_QUICK=1 BENCH_SHAPES=1 BENCH_ROUNDS=1 \
	BENCH_PYTHON=/bin/false BENCH_DIR="$DIR/bench" "$build/bench-core"
prints 'and says so' '^  SKIP peer: ' out

check 'it measures builds' env BENCH_QUICK=1 BENCH_DIR="$DIR/bench" "$build/bench-build"
prints 'and times them' 'seconds from genome to image +[0-9.]+ <= +0.40' out
prints 'two builds are the same bytes' 'differences between two builds +0.000 .* met$' out
prints 'code is small' 'int8 ref: bytes of code +[0-9]+ <= +100000  met$' out
prints 'the first inference has a time' "first inference +[0-9]+ <=" out
prints 'so have the slowest' 'over median +[0-9.]+ <= +1.15' out
check 'and writes everything' test -s "$DIR/bench/build.json"
finish
