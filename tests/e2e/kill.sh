#!/bin/bash
# kill -9 of the controller and of its agents at random instants of a job on the sim device:
# the job goes on each time, and in the end every fact equals that of an undisturbed run.
# KILLS sets how many kills (25).
set -u
hawser=${HAWSER:-build/release/hawser}
kills=${KILLS:-25}
dir=$(mktemp -d "${TMPDIR:-/tmp}/kill.XXXXXX") || exit 1
trap 'kill -9 ${pid:-} 2>/dev/null; rm -rf "$dir"' EXIT
RANDOM=4242 n=0

verdict() { # verdict CODE TEXT
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}
facts() { # facts RESULTS
	"$hawser" front sim --all --csv --results "$1"
	"$hawser" front sim --csv --results "$1"
}
now() { date +%s%N; }

echo "1..6"
begin=$(now)
"$hawser" search sim --results "$dir/calm" >"$dir/calm.log" 2>&1
verdict $? "the undisturbed job ends"
span=$(((($(now) - begin) / 1000000)))
facts "$dir/calm" >"$dir/calm.facts" 2>/dev/null
[ "$(wc -l <"$dir/calm.facts")" -gt 20 ]
verdict $? "it has facts to compare"

done_early=0 controller=0 agent=0
while [ $((controller + agent)) -lt "$kills" ]; do
	"$hawser" search sim --results "$dir/rough" >>"$dir/rough.log" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null && [ $((controller + agent)) -lt "$kills" ]; do
		wait_ms=$((RANDOM % (span / 4 + 1) + 20))
		sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
		if [ $((RANDOM % 2)) -eq 0 ]; then
			victim=$(pgrep -P $pid -f hawser-agent | head -1)
			[ -n "$victim" ] && kill -9 "$victim" 2>/dev/null && agent=$((agent + 1))
		else
			kill -9 $pid 2>/dev/null && controller=$((controller + 1))
			break
		fi
	done
	wait $pid 2>/dev/null
	if [ $? -eq 0 ]; then # it got through before the last kill: start over
		done_early=$((done_early + 1))
		facts "$dir/rough" >"$dir/rough.facts" 2>/dev/null
		cmp -s "$dir/calm.facts" "$dir/rough.facts" || break
		[ "$done_early" -gt 20 ] && break
		rm -rf "$dir/rough"
	fi
done
[ $((controller + agent)) -ge "$kills" ] && [ "$controller" -gt 3 ] && [ "$agent" -gt 3 ]
verdict $? "killed the controller $controller times, agents $agent times"
"$hawser" search sim --results "$dir/rough" >>"$dir/rough.log" 2>&1
verdict $? "the job goes on to its end"
facts "$dir/rough" >"$dir/rough.facts" 2>/dev/null
cmp "$dir/calm.facts" "$dir/rough.facts"
verdict $? "every fact equals the undisturbed run's, byte for byte"
count() { "$hawser" status sim --json --results "$1" | grep -E '"(candidates|measurements|finalists)": [0-9]+,$'; }
count "$dir/calm" >"$dir/calm.n"
count "$dir/rough" >"$dir/rough.n"
[ "$(wc -l <"$dir/calm.n")" -eq 3 ] && cmp "$dir/calm.n" "$dir/rough.n"
verdict $? "no measurement lost, none repeated"
[ "$(grep -c . "$dir/rough.log")" -gt 0 ] && tail -3 "$dir/rough.log" | sed 's/^/# /'
