#!/bin/sh
# A meter beside a board, both played here: an emulated board, whose energy can only be a
# recording, with an LPM01A and a PPK2 at pseudo-terminals and with a file.
set -u
. tests/e2e/tap

PLAYER=$(dirname "$HAWSER")/meter-player
for p in qemu-system-arm arm-none-eabi-gcc; do
	if ! command -v $p >/dev/null; then
		skip 'a meter beside an emulated board' "no $p"
		finish
		exit
	fi
done
genome='enc;v=200;t=12;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=0;conv=0;opt=O2;kern=ref;L=h2k2x16f48r0b8'

measure() { # OPTION...
	"$HAWSER" measure --genome "$genome" --task intent-slots:5:7 --device "$DIR/board.yaml" "$@"
}
number() { # KEY
	sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" "$DIR/out"
}
about() { # NAME VALUE WANTED
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > 0 && a > 0.998 * b && a < 1.002 * b) }'; then
		ok "$1"
	else
		not_ok "$1" "'$2' instead of $3"
	fi
}
board() { # KIND PORT [KEY]
	{
		cat devices/profiles/mps2-an386.yaml
		echo "meter: {kind: $1, port: $2, voltage_mv: 3300${3:+, $3}}"
	} >"$DIR/board.yaml"
}
play() { # KIND [FAULT]: sets port, energy, idle
	rm -f "$DIR/hold" "$DIR/said"
	mkfifo "$DIR/hold"
	"$PLAYER" "$@" <"$DIR/hold" >"$DIR/said" &
	player=$!
	exec 7>"$DIR/hold"
	while [ ! -s "$DIR/said" ] && kill -0 $player 2>/dev/null; do sleep 0.05; done
	read -r port energy idle <"$DIR/said"
}
unplug() {
	exec 7>&-
	wait $player
}

for kind in lpm01a ppk2; do
	play $kind
	board $kind "$port" 'recorded: yes'
	check "$kind: measure" measure --json
	# The board infers twice in a window.
	about "$kind: energy of an inference" "$(number energy_uj)" "$(awk "BEGIN { print $energy / 2 }")"
	about "$kind: idle power" "$(number idle_uw)" "$(awk "BEGIN { print $idle * 1000 }")"
	about "$kind: length of the window" "$(number energy_window_s)" 11.0
	prints "$kind: which meter" "\"energy_source\": \"recording: $kind 3300 mV\"" out
	prints "$kind: not called measured" '"energy_provenance": "emulated"' out
	check "$kind: show" "$HAWSER" show "$(sed -n 's/.*"candidate": "\([0-9a-f]*\)".*/\1/p' "$DIR/out")"
	prints "$kind: it is stored" "energy .* uJ \(recording: $kind 3300 mV, windows of 11.0 s, idle 4 mW taken off\)" out
	unplug

	exits "$kind: unplugged" 3 measure
	prints "$kind: unplugged, and says so" 'is not available: meter: ' err
done

play lpm01a lost
board lpm01a "$port" 'recorded: yes'
check 'lost samples: measure' measure
prints 'lost samples: no energy' '^energy +not measured: .* is void: 999 samples instead of 1000' out
prints 'lost samples: the count is there' '^instructions [0-9]+ ' out
board ppk2 "$port" 'recorded: yes'
exits 'another kind at the port' 3 measure
prints 'another kind is told' 'is no Power Profiler Kit II' err
board lpm01a "$port"
exits 'an emulated board has no live meter' 2 measure
prints 'and says so' "an emulated board draws nothing: .* 'recorded: yes'" err
unplug

search() { # NAME DEVICE [OBJECTIVE]
	cat >"$DIR/job.yaml" <<EOF
job: $1
data: builtin:home?n=600
space: home-mcu
objectives: [intent_acc${3:+, $3}, "energy_uj@$2"]
search: {initial: 2, batch: 2, population: 16, evolve: 4, refine: 4}
stop: {candidates: 2}
supernet: {epochs: 1}
final: {candidates: 0}
device_wait_s: 0
EOF
	"$HAWSER" search "$DIR/job.yaml"
}
"$PLAYER" lpm01a to "$DIR/log" >"$DIR/said"
read -r port energy idle <"$DIR/said"
board lpm01a "$DIR/log"
check 'a search with a recording' search energy "$DIR/board.yaml"
check 'its front' "$HAWSER" front energy --json
prints 'energy, but not measured' '"name": "energy_uj@.*"provenance": "emulated"' out
about 'of an inference' "$(sed -n 's/.*"energy_uj@[^"]*": {"value": \([0-9.]*\),.*/\1/p' "$DIR/out" | head -1)" \
	"$(awk "BEGIN { print $energy / 2 }")"
# Beside a device without a meter, which comes first and tells no RAM.
check 'a search on two devices' search two "$DIR/board.yaml" latency_us@local
check 'its report' "$HAWSER" report two --out "$DIR/report"
prints 'has the RAM of the board' 'stack [0-9]+</span><span class="from">measured, emulated, on [^<]*board.yaml<' report/index.html

board lpm01a README.md
check 'a file that is no recording' measure
prints 'it is void' '^energy +not measured: .* is void' out
exits 'a search with such a meter' 3 search void "$DIR/board.yaml"
prints 'says whose fault it is' 'the windows of its meter are void' err
exits 'a search without one' 2 search none mps2-an386
prints 'says that there is none' "device 'mps2-an386' has no energy sensor" err
finish
