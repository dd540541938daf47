#!/bin/bash
# One job on several devices at once: the same answers however their threads interleave; one
# that dies is quarantined, the others go on, and nothing is lost or done twice.
set -u
. tests/e2e/tap
pid=
trap 'kill -9 ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT
mark=7$$ # a seed that no other test's devices have

mkdir -p "$XDG_CONFIG_HOME/hawser/devices"

law() { # law NAME KEYS [LINE...]: a simulated device of the user's own
	file=$XDG_CONFIG_HOME/hawser/devices/$1.yaml keys=$2
	shift 2
	printf '%s\n' "driver: sim" "law: {base_ns: 2000, op_ns: 100, mac_f32_ns: 0.02, sigma: 0.01,
  process_sigma: 0.003, sleep: 0, $keys}" "$@" >"$file"
}
job() { # job NAME STOP [LINE...]
	file=$DIR/$1.yaml stop=$2
	shift 2
	cat >"$file" <<E2
job: fleet
data: builtin:home
space: home-small
objectives: [slot_f1, latency_us@slow, latency_us@weak]
limits: ["latency_us@third<=50"]
stop: {candidates: $stop}
supernet: {epochs: 1}
final: {candidates: 2, seeds: 1, epochs: 1}
E2
	printf '%s\n' "$@" >>"$file"
}
front() { # front RUN
	"$HAWSER" front fleet --csv --all --results "$DIR/$1" >"$DIR/$1.csv" 2>"$DIR/err"
}
law slow 'seed: 3, mac_i8_ns: 0.02'
law third 'seed: 5, mac_i8_ns: 0.01'
law weak "seed: $mark, mac_i8_ns: 0.005"
job whole 20
for run in a b; do
	check "run $run ends" "$HAWSER" search "$DIR/whole.yaml" --results "$DIR/$run"
	front $run
done
same 'identical candidates and values' a.csv b.csv

# One objective over both.
sed "s/^job: .*/job: group/; s/^objectives: .*/objectives: [slot_f1, 'latency_us@worst(slow,weak)', 'latency_us@mean(slow:2,weak)']/" \
	"$DIR/whole.yaml" >"$DIR/group.yaml"
check 'objectives over several devices' "$HAWSER" search "$DIR/group.yaml" --results "$DIR/a"
check 'are asked for by their names' "$HAWSER" front group --results "$DIR/a" --where 'latency_us@worst(slow,weak)<1e9' --best slot_f1
prints 'and shown' 'latency_us@worst[(]slow,weak[)] +latency_us@mean[(]slow:2,weak[)]' out
sed 's/worst(slow,weak)/worst(slow,slow)/' "$DIR/group.yaml" >"$DIR/twice.yaml"
exits 'a device twice in a group' 2 "$HAWSER" search "$DIR/twice.yaml" --results "$DIR/a"
prints 'is refused' "names 'slow' twice" err

# A device named by the path of its profile, which no folder of profiles has.
mkdir -p "$DIR/lab"
cp "$XDG_CONFIG_HOME/hawser/devices/slow.yaml" "$DIR/lab/bench.yaml"
sed 's/^job: .*/job: lab/; s/@slow/@lab\/bench.yaml/; s/^limits: .*//; s/, latency_us@weak//; s/^stop: .*/stop: {candidates: 3}/' \
	"$DIR/whole.yaml" >"$DIR/lab.yaml"
hawser=$(realpath "$HAWSER")
check 'a job on a device given by a path' env -C "$DIR" "$hawser" search lab.yaml --results "$DIR/a" --no-final
sed 's/@lab.bench.yaml/&, latency_us@slow/' "$DIR/lab.yaml" >"$DIR/same.yaml"
exits 'one machine under two names' 2 env -C "$DIR" "$hawser" search same.yaml --results "$DIR/i" --no-final
prints 'is refused' "devices 'lab/bench.yaml' and 'slow' are the same machine by all that they tell, with the same compiler and flags" err
check 'device list' "$HAWSER" device list --results "$DIR/a"
prints 'shows it with its path' "^bench +sim +none +[0-9]{4}-[0-9-]+ [0-9:]+ +- +- +ready; $(realpath "$DIR")/lab/bench.yaml\$" out
check 'device list --json' "$HAWSER" device list --json --results "$DIR/a"
prints 'has both' '"name": "bench"' out
prints 'the path too' "\"path\": \"$(realpath "$DIR")/lab/bench.yaml\"" out
g='enc;v=300;t=32;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h1k1x16f32r0b8'
check 'a measurement on it' env -C "$DIR/lab" "$hawser" measure --genome "$g" --device bench.yaml --results "$DIR/h"
check 'device list' "$HAWSER" device list --results "$DIR/h"
prints 'shows it as well' "^bench +sim +none +[0-9]{4}-[0-9-]+ [0-9:]+ +- +- +ready; $(realpath "$DIR")/lab/bench.yaml\$" out
rm "$DIR/lab/bench.yaml"
check 'device list without the file' "$HAWSER" device list --results "$DIR/a"
prints 'says that it is gone' '^bench.yaml +[?] .*No such file' out

# The agent of one device can be dead.
cat >"$DIR/agent" <<E2
#!/bin/sh
case "\$*" in *seed=$mark[!0-9]* | *seed=$mark)
	[ -e "$DIR/dead" ] && exit 1
	echo \$\$ >"$DIR/weak.pid"
	;;
esac
exec "$(dirname "$(realpath "$HAWSER")")/hawser-agent" "\$@"
E2
chmod 755 "$DIR/agent"
export HAWSER_AGENT=$DIR/agent
measured() {
	"$HAWSER" status fleet --results "$DIR/$1" 2>/dev/null | grep -q ' [1-9][0-9]* measurements'
}
# die RUN JOB: starts it, and kills the weak device in the middle.
die() {
	"$HAWSER" search "$DIR/$2.yaml" --results "$DIR/$1" >"$DIR/$1.log" 2>&1 &
	pid=$!
	await 600 measured "$1"
	touch "$DIR/dead"
	kill -9 "$(cat "$DIR/weak.pid")"
}
job wait 0 'device_wait_s: 1'
die c wait
wait $pid
code=$?
pid=
if [ $code -eq 3 ]; then ok 'a job ends without its device'; else not_ok 'a job ends without its device' "exit code $code"; fi
cp "$DIR/c.log" "$DIR/err"
prints 'the device is quarantined' "^quarantined: device 'weak' is not available" err
prints 'the end names it and says what to do' "^hawser: .*'weak'.*the same command goes on when it is back" err
check 'status' "$HAWSER" status fleet --results "$DIR/c"
prints 'the job is stopped, not failed' '^fleet +stopped' out
rm "$DIR/dead"
check 'devices' "$HAWSER" device list --results "$DIR/c"
prints 'the quarantined one is told apart, also when it is back' "^weak .* ready [(]was quarantined: device 'weak'" out
prints 'the others are idle' '^slow .* ready$' out
check 'the same command goes on' "$HAWSER" search "$DIR/whole.yaml" --results "$DIR/c"
front c
same 'and ends as an undisturbed run' a.csv c.csv

law weak "seed: $mark, mac_i8_ns: 0.005" "power_cycle: 'rm -f \"$DIR/dead\"; echo x >>\"$DIR/cycles\"'"
die d whole
wait $pid
code=$?
pid=
check 'the power is cycled' test -s "$DIR/cycles"
if [ $code -eq 0 ]; then ok 'and the job goes on to its end'; else not_ok 'and the job goes on to its end' "exit code $code"; fi
front d
same 'as an undisturbed run' a.csv d.csv

law weak "seed: $mark, mac_i8_ns: 0.005" "power_cycle: 'sleep 600 & echo \$! >\"$DIR/command\"; wait'"
die i whole
interrupts 'Ctrl-C while the power is cycled' 0 $pid
pid=
cp "$DIR/i.log" "$DIR/err"
prints 'stops the job' "^stopped: .* ended by 'request'.*; the same command goes on" err
rm "$DIR/dead"

# A device that is not there when a job begins is waited for as one that is lost later.
law weak "seed: $mark, mac_i8_ns: 0.005"
touch "$DIR/dead"
job early 20 'device_wait_s: 60'
waits() { # waits RUN
	"$HAWSER" search "$DIR/early.yaml" --results "$DIR/$1" >"$DIR/$1.log" 2>&1 &
	pid=$!
	await 600 grep -qs '^waiting' "$DIR/$1.log"
	cp "$DIR/$1.log" "$DIR/err"
}
cp -r "$DIR/c" "$DIR/f" # all of it is measured: only the beginning counts
waits f
prints 'a job waits for a device that is not there' "^waiting up to 60 s for device 'weak' [(]sim[)]: device 'weak' is not available: .*; Ctrl-C or 'hawser stop fleet' ends the wait\$" err
check 'devices of a job that waits' "$HAWSER" device list --results "$DIR/f"
prints 'say so' "^weak .* fleet, pid $pid +(quarantined|recovering): device 'weak' is not available" out
rm "$DIR/dead"
wait $pid
code=$?
pid=
if [ $code -eq 0 ]; then ok 'goes on when it is there'; else not_ok 'goes on when it is there' "exit code $code"; fi
front f
same 'and ends as an undisturbed run' a.csv f.csv
touch "$DIR/dead"
waits g
check 'a job that waits can be stopped' "$HAWSER" stop fleet --results "$DIR/g"
check 'and ends' wait $pid
pid=
check 'its status' "$HAWSER" status fleet --results "$DIR/g"
prints 'says so' '^fleet +stopped' out
rm "$DIR/dead"
exits 'what waiting cannot mend ends at once' 3 env HAWSER_AGENT="$DIR/none" "$HAWSER" search "$DIR/early.yaml" --results "$DIR/g"
prints 'with the reason' "^hawser: device '[a-z]+' is not available: '$DIR/none', named by HAWSER_AGENT, is not a program" err
exits 'and without a wait' 1 grep -q '^waiting' "$DIR/err"
touch "$DIR/dead"
sed 's/^job: .*/job: refused/; s/^objectives: .*/objectives: [slot_f1, latency_us@weak, instructions@slow]/; s/^limits: .*//' \
	"$DIR/early.yaml" >"$DIR/refused.yaml"
exits 'nor is another device waited for then' 2 "$HAWSER" search "$DIR/refused.yaml" --results "$DIR/g"
prints 'whichever comes first' "^hawser: 'instructions': device 'slow' does not count instructions" err
rm "$DIR/dead"

"$HAWSER" search "$DIR/whole.yaml" --results "$DIR/e" >"$DIR/e.log" 2>&1 &
pid=$!
await 600 measured e
check 'devices of a running job' "$HAWSER" device list --results "$DIR/e"
prints 'are not asked, their holder is named' "^slow .* fleet, pid $pid +leased" out
kill -9 $pid
wait $pid 2>/dev/null
pid=
check 'devices of a killed controller' "$HAWSER" device list --results "$DIR/e"
prints 'have a stale lease' "^slow .* ready [(]stale lease: 'fleet'" out
finish
