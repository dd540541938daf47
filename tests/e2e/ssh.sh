#!/bin/bash
# Devices over SSH, against a real server: adding one, a job on it, and the faults of lines,
# servers, keys, folders and controllers, each told as what it is and survived.
set -u
. tests/e2e/tap
. tests/e2e/sshd
pid= SSHD_PID=
trap 'kill -9 ${pid:-} 2>/dev/null; sshd_stop; kill_sessions 9; rm -rf "$DIR"' EXIT

why=$(sshd_missing)
if [ -n "$why" ]; then
	skip 'devices over SSH' "$why"
	exit 0
fi
# ---- an earlier run that was killed
. tests/e2e/leftovers
check 'keys are made' sshd_prepare
check 'the cable compiles' "${CC:-gcc}" -I. -O1 tests/e2e/cut.c -o "$DIR/cut"
check 'the JSON checker compiles' "${CC:-gcc}" -std=c11 -O1 tests/e2e/json.c -ljansson -o "$DIR/json"
sshd_start
check 'the server listens' kill -0 "$SSHD_PID"
address=ssh://$TARGET_USER@127.0.0.1:$PORT

json() { # json FILE PATH
	"$DIR/json" "$2" <"$DIR/$1" 2>/dev/null
}
# is NAME TEST-EXPRESSION...
is() {
	name=$1
	shift
	if [ "$@" ]; then ok "$name"; else not_ok "$name" "$*"; fi
}
agents() {
	ls "$CACHE" | grep -c '^agent-'
}
# Processes of the device: its agent, its payloads.
payload_runs() {
	pgrep -f "^$CACHE/[0-9a-f]*\.img " >/dev/null
}
# in_mid_run: returns as soon as a payload runs, or what should start it has ended.
in_mid_run() {
	until payload_runs || ! kill -0 "$pid" 2>/dev/null; do
		sleep 0.02
	done
}
nothing_runs() {
	! pgrep -f "^$CACHE/" >/dev/null
}
profile() { # profile NAME LINE...: a device by path
	file=$DIR/$1.yaml
	shift
	{ echo "ssh_config: $S/config"; printf '%s\n' "$@"; } >"$file"
}

# ---- adding a device
check 'device add' "$HAWSER" device add "$address" --ssh-config "$S/config" --name pi
prints 'tells what the machine is' '^arch +' out
prints 'and with what it will be built for' '^compiler +gcc' out
prints 'its answers are checked' '^health +a known network.s answers agree' out
prints 'and where the profile is' "^profile +$DIR/config/hawser/devices/pi.yaml\$" out
exits 'the same name again' 1 "$HAWSER" device add "$address" --ssh-config "$S/config" --name pi
prints 'is refused by its name' "device 'pi' is there already" err
exits 'a name of Hawser'"'s own" 1 "$HAWSER" device add "$address" --name local
check 'add --json' "$HAWSER" device add "$address" --ssh-config "$S/config" --json --name second
cp "$DIR/out" "$DIR/doc"
is 'names the profile' "$(json doc profile)" = "$DIR/config/hawser/devices/second.yaml"
is 'and what the check came to' "$(json doc health.verdict)" = ok
is 'and the fingerprint' "$(json doc fingerprint | wc -c)" -eq 65
rm "$DIR/config/hawser/devices/second.yaml"
check 'device list' "$HAWSER" device list
prints 'shows it ready' '^pi +ssh +gcc .* ready$' out
check 'device probe' "$HAWSER" device probe pi
prints 'measures the line' '^round trip +[0-9.]+ ms median' out

check 'a device behind a jump host' "$HAWSER" device add ssh://behind --ssh-config "$S/config" --cache "$S/home/agent2"
sed -i 's/^cpu: .*/cpu: any/' "$DIR/config/hawser/devices/behind.yaml" # another one to compare

# ---- the agent there
is 'one agent is there' "$(agents)" -eq 1
agent=$(ls -d "$CACHE"/agent-*)
is 'named by its hash' "$(sha256sum <"$agent" | cut -c 1-64)" = "${agent##*agent-}"
case $HAWSER in
*release*) is 'it is under 1 MB' "$(wc -c <"$agent")" -lt 1000000 ;;
esac
before=$(stat -c %i:%Y "$agent")
check 'once more' "$HAWSER" device probe pi
is 'and it is not sent again' "$(stat -c %i:%Y "$agent")" = "$before"
{ cat "$agent"; echo; } >"$DIR/other-agent"
chmod 755 "$DIR/other-agent"
check 'another version' env HAWSER_AGENT="$DIR/other-agent" "$HAWSER" device probe pi
is 'takes its place' "$(agents)" -eq 1
exits 'the old one is gone' 1 test -e "$agent"
is 'nothing else is left there' "$(find "$S/home" -type f | grep -vc '/agent-[0-9a-f]*$\|/lease$\|/[0-9a-f]*[.]img$')" -eq 0

# ---- faults, told apart
# refuses NAME DEVICE REGEX
refuses() {
	exits "$1" 3 "$HAWSER" device probe "$2"
	prints "$1: said so" "$3" err
	is "$1: in one line" "$(wc -l <"$DIR/err")" -eq 1
}
profile stranger 'uri: ssh://stranger'
refuses 'unknown host key' "$DIR/stranger.yaml" 'host key of .stranger. is not known yet: connect once by hand'
profile refused 'uri: ssh://refused'
refuses 'nobody listens' "$DIR/refused.yaml" "nothing listens for SSH at 'refused'"
profile nowhere 'uri: ssh://no-such-host.invalid'
refuses 'no such host' "$DIR/nowhere.yaml" "there is no host as in 'no-such-host.invalid'"
profile nobody 'uri: ssh://nobody-here@127.0.0.1'
refuses 'wrong user' "$DIR/nobody.yaml" "'nobody-here@127.0.0.1' lets nobody in"
profile folder 'uri: ssh://127.0.0.1' 'cache: /proc/hawser'
refuses 'no folder' "$DIR/folder.yaml" "has no folder for the agent: .*; name one with 'cache'"
mkdir "$DIR/no-path"
exits 'no ssh here' 3 env PATH="$DIR/no-path" "$HAWSER" device probe pi
prints 'is said' "there is no program 'ssh' here" err
if [ -n "${HAS_MOUNTS:-}" ]; then
	profile full 'uri: ssh://127.0.0.1' "cache: $S/full"
	refuses 'disk full' "$DIR/full.yaml" 'has no room for the agent: .*No space left'
	profile noexec 'uri: ssh://127.0.0.1' "cache: $S/noexec"
	refuses 'noexec' "$DIR/noexec.yaml" 'lets no program run .*noexec'
else
	skip 'disk full, noexec' 'only root can mount such folders'
fi
sshd_stop
sshd_start other_host_key
refuses 'changed host key' pi 'host key of .* is not the one that is known'
sshd_stop
sshd_start

# ---- builds for other machines are not sent
g='enc;v=300;t=32;d=128;e=128;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h4k4x32f512r0b8'
cross=aarch64-linux-gnu-gcc
[ "$(uname -m)" = x86_64 ] || cross=x86_64-linux-gnu-gcc
if command -v $cross >/dev/null; then
	profile wrong 'uri: ssh://127.0.0.1' "cc: $cross"
	exits 'a build for another machine' 2 "$HAWSER" measure --genome "$g" --device "$DIR/wrong.yaml"
	prints 'is refused' "it is $(uname -m), but the build is for .*'cc' in the device profile" err
else
	skip 'a build for another machine' "no $cross"
fi

# ---- a job, with a connection that is killed in the middle of a run
tiny_space ref '[8, 4]'
cat >"$DIR/far.job.yaml" <<EOF
job: far
data: "builtin:home?n=600"
space: $DIR/tiny.yaml
seed: 3
objectives: [slot_f1, latency_us@pi, latency_us@behind]
search: {initial: 3, batch: 1, population: 8, evolve: 2, refine: 1}
stop: {candidates: 4}
supernet: {epochs: 2}
final: {candidates: 1, seeds: 1, epochs: 2}
measure: {min_processes: 3, max_processes: 3, precision: 0.1, samples: 30, warmup: 2, min_sample_us: 2000}
EOF
"$HAWSER" search "$DIR/far.job.yaml" >"$DIR/out" 2>"$DIR/err" &
pid=$!
until { in_mid_run && kill_sessions 9; } || ! kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
if kill -0 "$pid" 2>/dev/null; then ok 'a session is killed in mid run'; else not_ok 'a session is killed in mid run' "the job is over, sessions: $SESSIONS"; fi
check 'the job ends' wait $pid
pid=
check 'status' "$HAWSER" status far --json
cp "$DIR/out" "$DIR/doc"
is 'it is done' "$(json doc state)" = done
is 'every candidate counts' "$(json doc candidates)" -eq 4
is 'no candidate is blamed' "$(json doc 'failures.#')" -eq 0
check 'front' "$HAWSER" front far --json
cp "$DIR/out" "$DIR/doc"
is 'latency was measured there' "$(json doc points.0.values.latency_us@pi.provenance)" = measured
is 'and behind the jump host' "$(json doc points.0.values.latency_us@behind.provenance)" = measured

# ---- a job on a device that lets nobody in: waiting would not help
cp "$DIR/nobody.yaml" "$DIR/config/hawser/devices/nobody.yaml"
sed 's/@behind/@nobody/; s/^job: .*/job: shut/' "$DIR/far.job.yaml" >"$DIR/shut.job.yaml"
exits 'a job on a device that lets nobody in ends at once' 3 "$HAWSER" search "$DIR/shut.job.yaml"
exits 'and does not wait' 1 grep -q '^waiting' "$DIR/err"
rm "$DIR/config/hawser/devices/nobody.yaml"

# ---- a cable that is cut: in mid upload of the agent, of an image; silently in mid run
measure() { # measure DEVICE: into $DIR/run
	"$HAWSER" measure --genome "$g" --device "$1" --processes 4 --json >"$DIR/run" 2>"$DIR/run.err"
}
measured() { # NAME
	if [ "$(json run verdict)" = ok ]; then ok "$1"; else not_ok "$1" "$(cat "$DIR/run.err")"; fi
}
cuts() { # cuts N: so many connections have ended
	[ "$(wc -l <"$S/cut.log")" -eq "$1" ]
}
profile flaky 'uri: ssh://flaky'
rm "$CACHE"/agent-*
echo 'close 300000' >"$S/cut"
exits 'cut while the agent is sent' 3 "$HAWSER" device probe "$DIR/flaky.yaml"
prints 'the link is named' "SSH connection to 'flaky' ended" err
await 100 eval '[ -z "$(find "$CACHE" -name "agent-*")" ]'
is 'no part of it is left' "$(find "$CACHE" -name 'agent-*' | wc -l)" -eq 0
check 'the next one gets through' "$HAWSER" device probe "$DIR/flaky.yaml"
rm -f "$CACHE"/*.img "$S/cut.log"
echo 'close 300000' >"$S/cut"
measure "$DIR/flaky.yaml"
measured 'cut while an image is sent'
await 50 cuts 2
up=$(sort -n "$S/cut.log" | tail -n 1)
image=$(wc -c "$CACHE"/*.img | tail -n 1 | awk '{ print $1 }')
check 'the line was cut once' cuts 2
is 'the upload went on where it was' "$((up - 100000))" -lt "$image"
measure "$DIR/flaky.yaml" &
pid=$!
in_mid_run
echo 'freeze 0' >"$S/cut"
begin=$(date +%s)
await 100 test ! -e "$S/cut"
await 200 grep -q . "$S/cut.log"
wait $pid
pid=
is 'silence is noticed in time' $(($(date +%s) - begin)) -le 25
measured 'a line that falls silent in mid run'

# ---- the agent is killed; the server goes and comes back
measure pi &
pid=$!
in_mid_run
pkill -9 -f "^$CACHE/agent-"
is 'the agent is killed' $? -eq 0
wait $pid
pid=
measured 'an agent that is killed in mid run'
measure pi &
pid=$!
in_mid_run
sshd_stop
kill_sessions 9
is 'its sessions are killed too' $? -eq 0
sshd_start
wait $pid
pid=
measured 'a server that is killed and comes back'

# ---- the target's wall clock is moved, ten years on and ten back
if "${CC:-gcc}" -O1 tests/e2e/jump.c -o "$S/home/jump" 2>"$DIR/err" &&
	"$S/home/jump" "$DIR/no-jump" true; then
	cp "$(dirname "$HAWSER")/hawser-agent" "$S/home/real-agent"
	printf '#!/bin/sh\nexec %s %s %s "$@"\n' "$S/home/jump" "$S/home/when" "$S/home/real-agent" >"$DIR/jumping"
	chmod 755 "$DIR/jumping" "$S/home/jump" "$S/home/real-agent"
	: >"$S/home/when.log"
	chmod 666 "$S/home/when.log"
	measure pi
	calm=$(json run latency_us)
	HAWSER_AGENT=$DIR/jumping measure pi &
	pid=$!
	in_mid_run
	for jump in 315360000 -315360000; do
		echo $jump >"$S/home/when"
		sleep 0.2
	done
	is 'a run goes on when the clock jumps' "$(kill -0 $pid && echo yes)" = yes
	wait $pid
	pid=
	measured 'a wall clock that jumps in mid run'
	is 'changes no figure' "$(awk "BEGIN { r = $(json run latency_us) / $calm; print (r > 0.5 && r < 2) }")" = 1
	is 'nothing asks for it there' "$(grep -c 'real-agent\|img' "$S/home/when.log")" -eq 0
	year=$("$S/home/jump" "$S/home/when" date +%Y)
	is 'though it was moved' $((year + 9)) -lt "$(date +%Y)"
	is 'and that would have been noted' "$(grep -c date "$S/home/when.log")" -gt 0
	rm "$S/home/when"
else
	skip 'a wall clock that jumps' 'no tracing of processes'
fi

# ---- images that crash, loop, fork, eat memory, print what is no record
verdicts=$(dirname "$HAWSER")/tests/test_device_verdicts
check 'every way an image can end' env HAWSER_TEST_URI="$address" HAWSER_TEST_SSH="$S/config" \
	HAWSER_TEST_IMAGES="$CACHE" "$verdicts"
is 'and all of them were tried there' "$(cat "$DIR/out" "$DIR/err" | grep -c '^ok\|OK ')" -ge 3

# ---- two controllers; one that is killed
"$HAWSER" measure --genome "$g" --device pi --processes 40 --precision 0.0001 >/dev/null 2>&1 &
pid=$!
in_mid_run
refuses 'a second controller' pi "held by pid [0-9]+ on .*, for 'pi' of pid $pid"
in_mid_run
kill -9 $pid
wait $pid 2>/dev/null
pid=
await 20 nothing_runs
check 'nothing of a killed controller runs on after 2 s' nothing_runs
check 'and the device is free' "$HAWSER" device probe pi

sshd_stop
await 50 eval '! pgrep -f "$DIR" >/dev/null'
check 'no process is left' eval '! pgrep -fl "$DIR"'
finish
