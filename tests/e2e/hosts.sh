#!/bin/bash
# One job on three machines at once, each a network namespace with an SSH server, host key,
# machine id and unprivileged user of its own, one of them behind a jump host. A cable is
# pulled in the middle and put back; one machine dies for good. Where namespaces are not
# permitted the servers listen on three loopback ports.
set -u
. tests/e2e/tap
pid=
net=hw$$ # of namespaces and cables
hosts='one two three'
S=$DIR/ssh
SSHD=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null)
port=$((40000 + $$ % 20000))

clean() {
	kill -9 ${pid:-} 2>/dev/null
	for h in $hosts; do
		[ -s "$S/$h/pid" ] && kill_host "$h"
		[ -n "${spaces:-}" ] && ip netns del "$net-$h" 2>/dev/null
	done
	[ -n "${spaces:-}" ] && ip link del "$net" 2>/dev/null
	rm -rf "$DIR"
}
trap clean EXIT

if [ -z "$SSHD" ] || ! command -v ssh >/dev/null; then
	skip 'three machines' 'no sshd or ssh installed'
	exit 0
fi
if [ "$(id -u)" -eq 0 ] && ! unshare -m true 2>/dev/null; then
	skip 'three machines' 'root may not make a mount namespace for an ordinary user'
	exit 0
fi
spaces=
if [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null && ip netns add "$net-one" 2>/dev/null; then
	spaces=yes
else
	skip 'machines of their own' 'no network namespaces: three ports instead'
fi

# ---- cables: one and two hang on a bridge of ours; three on a cable of its own to two
cable() { # cable NAME HOST ADDRESS: from the bridge
	ip link add "$1" type veth peer name eth0 netns "$net-$2" &&
		ip link set "$1" master "$net" up && ip -n "$net-$2" addr add "$3/24" dev eth0 &&
		ip -n "$net-$2" link set eth0 up && ip -n "$net-$2" link set lo up
}
cables() {
	ip netns add "$net-two" && ip netns add "$net-three" &&
		ip link add "$net" type bridge && ip link set "$net" up &&
		ip addr add "$subnet.1/24" dev "$net" &&
		cable "$net.1" one "$subnet.2" && cable "$net.2" two "$subnet.3" &&
		ip -n "$net-two" link add eth1 type veth peer name eth0 netns "$net-three" &&
		ip -n "$net-two" addr add "$far.1/24" dev eth1 && ip -n "$net-two" link set eth1 up &&
		ip -n "$net-three" addr add "$far.2/24" dev eth0 &&
		ip -n "$net-three" link set eth0 up && ip -n "$net-three" link set lo up
}
subnet=10.$((80 + $$ / 256 % 80)).$(($$ % 256)) far=10.$((160 + $$ / 256 % 80)).$(($$ % 256))
address() { # address HOST
	[ -n "$spaces" ] || { echo 127.0.0.1; return; }
	case $1 in
	one) echo "$subnet.2" ;;
	two) echo "$subnet.3" ;;
	three) echo "$far.2" ;;
	esac
}
port_of() { # a port each where they share a machine
	case $spaces$1 in
	two) echo $((port + 1)) ;;
	three) echo $((port + 2)) ;;
	*) echo $port ;;
	esac
}

# ---- servers
user=$(id -un)
[ "$(id -u)" -eq 0 ] && user=hawser-target
make_host() { # make_host HOST: keys, home, configuration
	mkdir -p "$S/$1/home"
	chmod 711 "$DIR" "$S" "$S/$1"
	ssh-keygen -q -t ed25519 -N '' -f "$S/$1/host_key" || return 1
	cat >"$S/$1/sshd_config" <<E2
ListenAddress $(address "$1")
Port $(port_of "$1")
HostKey $S/$1/host_key
AuthorizedKeysFile $S/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
SetEnv HAWSER_AGENT_CACHE=$S/$1/home/agent
E2
	echo "$1 $(cut -d ' ' -f 1,2 "$S/$1/host_key.pub")" >>"$S/known_hosts"
	head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$S/$1/machine-id"
	[ "$(id -u)" -eq 0 ] || return 0
	grep -v "^$user:" /etc/passwd >"$S/$1/passwd"
	echo "$user:x:47110:47110::$S/$1/home:/bin/sh" >>"$S/$1/passwd"
	chown -R 47110:47110 "$S/$1/home" "$S/$1/host_key"
}
listening() {
	grep -q 'Server listening' "$S/$1/log"
}
start_host() { # start_host HOST: its pid lies in $S/HOST/pid
	: >"$S/$1/log"
	if [ "$(id -u)" -eq 0 ]; then
		${spaces:+ip netns exec "$net-$1"} unshare -m sh -c 'mount --make-rprivate / &&
			mount --bind "$1/passwd" /etc/passwd &&
			{ [ ! -e /etc/machine-id ] || mount --bind "$1/machine-id" /etc/machine-id; } &&
			exec setpriv --reuid 47110 --regid 47110 --clear-groups "$2" -D -e -f "$1/sshd_config"' \
			sh "$S/$1" "$SSHD" >/dev/null 2>"$S/$1/log" </dev/null &
	else
		"$SSHD" -D -e -f "$S/$1/sshd_config" >/dev/null 2>"$S/$1/log" </dev/null &
	fi
	echo $! >"$S/$1/pid"
	await 100 listening "$1"
}
# The server, its sessions, the agent: they share the server's process tree or folder.
kill_host() {
	kids=$(cat "$S/$1/pid")
	while [ -n "$kids" ]; do
		next=$(for k in $kids; do pgrep -P "$k"; done)
		kill -9 $kids 2>/dev/null
		wait $kids 2>/dev/null
		kids=$next
	done
	pkill -9 -f "^$S/$1/home/agent/"
	: >"$S/$1/pid"
}

mkdir -p "$S"
ssh-keygen -q -t ed25519 -N '' -f "$S/user_key" && cp "$S/user_key.pub" "$S/authorized_keys"
chmod 644 "$S/authorized_keys"
[ -z "$spaces" ] || check 'three machines are cabled' cables
for h in $hosts; do
	check "machine '$h' is made" make_host $h
	start_host $h
	check 'its server listens' listening $h
done
{
	for h in $hosts; do
		printf 'Host %s\n\tHostName %s\n\tPort %s\n\tHostKeyAlias %s\n' \
			$h "$(address $h)" "$(port_of $h)" $h
		[ $h != three ] || printf '\tProxyJump two\n'
	done
	cat <<E2
Host *
	User $user
	IdentityFile $S/user_key
	IdentitiesOnly yes
	IdentityAgent none
	GlobalKnownHostsFile /dev/null
	UserKnownHostsFile $S/known_hosts
E2
} >"$S/config"
for h in $hosts; do
	check "device add ssh://$h" "$HAWSER" device add ssh://$h --ssh-config "$S/config"
	sed -i 's/^cpu: .*/cpu: any/' "$DIR/config/hawser/devices/$h.yaml"
done
if [ -n "$spaces" ]; then
	sed '/ProxyJump/d' "$S/config" >"$S/direct"
	sed "s|$S/config|$S/direct|" "$DIR/config/hawser/devices/three.yaml" >"$DIR/direct.yaml"
	exits 'three is not reached but through two' 3 "$HAWSER" device probe "$DIR/direct.yaml"
fi

# ---- a job on all three
cat >"$DIR/tiny.yaml" <<E2
name: tiny
arch: enc
genes: {vocab_size: 300, seq_len: 32, d_model: [16, 48], embed_bits: 8, act: relu, norm: ln, norm_place: pre,
  pool: mean, rel_pos: 8, conv: 3, opt: O2, kernels: ref, n_layers: [1, 2], n_heads: [1, 2], d_head: 16,
  d_ff: [32, 96], bits: [8, 4]}
E2
cat >"$DIR/job.yaml" <<E2
job: three
data: "builtin:home?n=600"
space: $DIR/tiny.yaml
seed: 3
objectives: [slot_f1, latency_us@one, latency_us@two, latency_us@three]
search: {initial: 4, batch: 2, population: 8, evolve: 2, refine: 1}
stop: {candidates: 6}
supernet: {epochs: 1}
final: {candidates: 1, seeds: 1, epochs: 1}
measure: {min_processes: 4, max_processes: 4, precision: 0.1, samples: 30, warmup: 1, min_sample_us: 1000}
device_wait_s: 60
E2
job() { # job RESULTS [OPTION]
	"$HAWSER" search "$DIR/job.yaml" --results "$DIR/$@" >"$DIR/$1.out" 2>"$DIR/$1.err" &
	pid=$!
}
runs_on() { # runs_on HOST: a payload, now
	pgrep -f "^$S/$1/home/agent/[0-9a-f]*\.img " >/dev/null
}
job first
at_once=0
while kill -0 $pid 2>/dev/null; do
	n=0
	for h in $hosts; do runs_on $h && n=$((n + 1)); done
	[ $n -gt $at_once ] && at_once=$n
	sleep 0.01
done
check 'a job on three machines ends' wait $pid
pid=
if [ $at_once -eq 3 ]; then ok 'all three measured at once'; else not_ok 'all three measured at once' "$at_once did"; fi
sound() { # sound RESULTS NAME: every candidate has every latency
	"$HAWSER" front three --all --csv --results "$DIR/$1" >"$DIR/front.csv" 2>"$DIR/err"
	rows=$(($(wc -l <"$DIR/front.csv") - 1))
	full=$(tail -n +2 "$DIR/front.csv" | awk -F , '$9 > 0 && $14 > 0 && $19 > 0' | wc -l)
	if [ $rows -eq 6 ] && [ $full -eq 6 ]; then ok "$2"; else
		sed 's/^/# /' "$DIR/front.csv" "$DIR/$1.err"
		not_ok "$2" "$full of $rows rows are full"
	fi
}
sound first 'every candidate has three latencies'
check 'device list' "$HAWSER" device list --results "$DIR/first"
for h in $hosts; do prints "shows $h idle again" "^$h +ssh .*[0-9]{4}-[0-9]{2}-[0-9]{2} .* ready" out; done

# ---- a cable is pulled
if [ -n "$spaces" ]; then
	job second --no-final
	await 1000 runs_on one
	line=$(pgrep -P $pid -f "^ssh .* one ")
	ip link set "$net.1" down
	begin=$(date +%s)
	await 300 eval '! kill -0 $line 2>/dev/null'
	took=$(($(date +%s) - begin))
	if [ $took -le 10 ]; then ok 'a pulled cable is noticed within 10 s'; else not_ok 'a pulled cable is noticed within 10 s' "$took s"; fi
	ip link set "$net.1" up
	check 'with the cable back the job ends' wait $pid
	pid=
	sound second 'and nothing is missing'
fi

# ---- a machine freezes: its agent neither answers nor ends
job frozen --no-final
await 1000 runs_on two
kill -STOP $(pgrep -f "^$S/two/home/agent/")
check 'beside a frozen machine the job goes on, and ends with a new agent' wait $pid
pid=
sound frozen 'and nothing is missing'
if pgrep -f "^$S/two/home/agent/" >/dev/null; then not_ok 'the frozen one is gone'; else ok 'the frozen one is gone'; fi

# ---- a machine dies, and another one answers in its place
sed -i 's/^device_wait_s: .*/device_wait_s: 0/' "$DIR/job.yaml"
job third --no-final
await 1000 runs_on one
kill_host one
ssh-keygen -q -t ed25519 -N '' -f "$S/one/other_key"
[ "$(id -u)" -ne 0 ] || chown 47110:47110 "$S/one/other_key"
sed -i 's/other_key\|host_key$/other_key/' "$S/one/sshd_config"
start_host one
wait $pid
code=$?
pid=
if [ $code -eq 3 ]; then ok 'without a machine the job stops'; else not_ok 'without a machine the job stops' "exit code $code"; fi
cp "$DIR/third.err" "$DIR/err"
prints 'and says which, and that its key is another' "^hawser: device 'one'.*host key of 'one.* is not the one that is known.*the same command goes on" err
check 'device list' "$HAWSER" device list --results "$DIR/third"
prints 'shows it' "^one .*host key" out
kill_host one
sed -i 's/other_key$/host_key/' "$S/one/sshd_config"
start_host one
job third --no-final
check 'with the machine back the same command ends it' wait $pid
pid=
sound third 'and nothing is missing'
finish
