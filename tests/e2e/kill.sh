#!/bin/bash
# kill -9 of the controller and of its agents at random instants of a job on the sim device:
# the job goes on each time, and in the end every fact equals that of an undisturbed run.
# KILLS sets how many kills (25).
set -u
. tests/e2e/tap
kills=${KILLS:-25}
trap 'kill -9 ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT
RANDOM=4242

facts() { # facts RUN
	"$HAWSER" front sim --all --csv --results "$DIR/$1" >"$DIR/$1.facts" &&
		"$HAWSER" front sim --csv --results "$DIR/$1" >>"$DIR/$1.facts"
}
counts() { # counts RUN
	"$HAWSER" status sim --json --results "$DIR/$1" |
		grep -E '"(candidates|measurements|finalists)": [0-9]+,$' >"$DIR/$1.counts"
}
now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

begin=$(now_ms)
check 'the undisturbed job ends' "$HAWSER" search sim --results "$DIR/calm"
span=$(($(now_ms) - begin))
facts calm 2>"$DIR/err"
if [ "$(wc -l <"$DIR/calm.facts")" -gt 20 ]; then
	ok 'it has facts to compare'
else
	not_ok 'it has facts to compare'
fi

again=0 controller=0 agent=0
while [ $((controller + agent)) -lt "$kills" ]; do
	"$HAWSER" search sim --results "$DIR/rough" >>"$DIR/rough.log" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null && [ $((controller + agent)) -lt "$kills" ]; do
		wait_ms=$((RANDOM % (span / 4 + 1) + 20))
		sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
		if [ $((RANDOM % 2)) -eq 0 ]; then
			victim=$(pgrep -P $pid -f hawser-agent | head -n 1)
			[ -n "$victim" ] && kill -9 "$victim" 2>/dev/null && agent=$((agent + 1))
		else
			kill -9 $pid 2>/dev/null && controller=$((controller + 1))
			break
		fi
	done
	wait $pid 2>/dev/null
	code=$?
	[ $code -eq 137 ] && continue
	if [ $code -ne 0 ]; then
		sed 's/^/# /' "$DIR/rough.log" | tail -n 5
		not_ok 'only kill -9 ends the controller' "exit code $code"
		break
	fi
	# It got through before the last kill: compare, and start over.
	again=$((again + 1))
	facts rough 2>/dev/null
	cmp -s "$DIR/calm.facts" "$DIR/rough.facts" || break
	[ $again -gt 20 ] && break
	rm -rf "$DIR/rough"
done
if [ $((controller + agent)) -ge "$kills" ] && [ $controller -gt 3 ] && [ $agent -gt 3 ]; then
	ok "killed the controller $controller times, agents $agent times"
else
	not_ok 'killed often enough' "controller $controller times, agents $agent times"
fi
check 'the job goes on to its end' "$HAWSER" search sim --results "$DIR/rough"
facts rough 2>"$DIR/err"
same 'every fact equals the undisturbed one, byte for byte' calm.facts rough.facts
counts calm
counts rough
[ "$(wc -l <"$DIR/calm.counts")" -eq 3 ] || not_ok 'the job can be counted'
same 'no measurement lost, none repeated' calm.counts rough.counts
finish
