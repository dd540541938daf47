#!/bin/sh
# Bad inputs, one a case: the right exit code, one clear line on stderr, nothing lost. New
# cases go below; each is
#
#   bad NAME EXIT_CODE REGEX COMMAND...
#
# REGEX has to match the line "hawser: ..." that the command must end with.
set -u
. tests/e2e/tap

bad() {
	name=$1 wanted=$2 regex=$3
	shift 3
	timeout 60 "$@" >"$DIR/out" 2>"$DIR/err" </dev/null
	code=$?
	lines=$(grep -c '^hawser: ' "$DIR/err")
	last=$(tail -n 1 "$DIR/err")
	if ! expr "$code" : "$wanted$" >/dev/null; then
		why="exit code $code, expected $wanted"
	elif [ "$lines" -ne 1 ]; then
		why="$lines lines begin with 'hawser: ', expected one"
	elif ! printf '%s\n' "$last" | grep -Eq -- "^hawser: .*($regex)"; then
		why="the last line does not match '$regex'"
	else
		ok "$name"
		return
	fi
	sed 's/^/# /' "$DIR/err"
	not_ok "$name" "$why"
}

# unchanged NAME FILE: FILE is byte for byte what `keep FILE` saw.
keep() {
	cksum <"$1" >"$DIR/sum"
}
unchanged() {
	cksum <"$2" | cmp -s - "$DIR/sum" && ok "$1" || not_ok "$1" "'$2' was changed"
}

put() { # FILE below $DIR, text on stdin
	cat >"$DIR/$1"
}

# ---- the command line
bad 'unknown command' 2 "unknown command 'serch'.*'search'" "$HAWSER" serch
bad 'unknown option' 2 "unknown option '--sed'.*'--seed'" "$HAWSER" space sample home-small --sed 1
bad 'option without its value' 2 "option '--seed' needs a value" "$HAWSER" space sample home-small --seed
bad 'option given twice' 2 "'--seed' is given twice" "$HAWSER" space sample home-small --seed 1 --seed 2
bad 'argument missing' 2 'argument is missing' "$HAWSER" space
bad 'argument too many' 2 "unexpected argument 'c'" "$HAWSER" space show a c
bad 'unknown sub-command' 2 "unknown sub-command 'shwo'.*'show'" "$HAWSER" space shwo home-small
bad 'not a number' 2 "'nan' is not a whole number" "$HAWSER" space sample home-small -n nan
bad 'number out of range' 2 "'0' is not in 1 to" "$HAWSER" space sample home-small -n 0
bad 'absurd number' 2 'is not in 0 to' "$HAWSER" space sample home-small --seed 99999999999999999999
bad 'control characters do not reach the terminal' 2 "unknown command '\?\[31mx'" \
	"$HAWSER" "$(printf '\033[31mx')"
bad 'newline stays on one line' 2 "unknown command 'a\?hawser: b'" "$HAWSER" 'a
hawser: b'
bad 'results below a file' 2 "cannot create folder '/dev/null/x'" \
	"$HAWSER" status --results /dev/null/x
bad 'wrong home' 2 "HAWSER_HOME is '/nowhere'" env HAWSER_HOME=/nowhere "$HAWSER" space show home-small

# ---- search spaces. `space` makes a file from home-small with a line changed by sed.
space() {
	sed "$1" search/spaces/home-small.yaml >"$DIR/s.yaml"
}
show="$HAWSER space show $DIR/s.yaml"
bad 'unknown space' 2 "no search space 'home-smal'" "$HAWSER" space show home-smal
bad 'space file missing' 2 "cannot open '.*none.yaml'" "$HAWSER" space show "$DIR/none.yaml"
mkdir -p "$DIR/folder.yaml"
bad 'space file is a folder' 1 'it is a folder' "$HAWSER" space show "$DIR/folder.yaml"
space 's/^  d_model:/  d_modle:/'
bad 'unknown gene' 2 "s.yaml:[0-9]+:3: .*'d_modle'.*'d_model'" $show
space 's/^  d_model:.*/  d_model: [16, nan]/'
bad 'gene is NaN' 2 "s.yaml:[0-9]+:[0-9]+: .*nan" $show
space 's/^  d_model:.*/  d_model: 16000000/'
bad 'gene is absurd' 2 's.yaml:[0-9]+:[0-9]+: ' $show
space 's/^  d_model:.*/  d_model: []/'
bad 'gene without a choice' 2 's.yaml:[0-9]+:[0-9]+: ' $show
space 's/^  n_heads:.*/  n_heads: 3\n  n_kv_heads: 2/'
bad 'impossible space' 2 's.yaml' $show
space 's/^presets:.*/limits: ["params<=10"]\npresets:/'
bad 'limits that nothing meets' 2 's.yaml.*(limit|genome)' $show
space 's/^presets:.*/limits: ["latency_us@local<10"]\npresets:/'
bad 'limit that only measuring can tell' 2 "s.yaml:[0-9]+:[0-9]+: .*latency_us" $show
space 's/^arch:.*/arch: enc\narch: dec/'
bad 'key given twice' 2 "s.yaml:[0-9]+:1: key 'arch' is given twice" $show
space 's/^genes:/genes: [/'
bad 'malformed YAML' 2 's.yaml:[0-9]+:[0-9]+: ' $show
: >"$DIR/s.yaml"
bad 'empty file' 2 's.yaml:1:1: the document is empty' $show
head -c 4096 /bin/sh >"$DIR/s.yaml"
bad 'a program for a space' 2 's.yaml:[0-9]+:[0-9]+: not valid UTF-8' $show
head -c 2000000 /dev/zero | tr '\0' 'x' >"$DIR/s.yaml"
bad 'file too large' 2 'larger than the limit' $show

# ---- jobs
job() { # further lines on stdin; "-" before a key drops the default
	cat >"$DIR/extra"
	{
		for line in 'job: bad' 'data: "builtin:home?n=600"' 'space: home-small' \
			'objectives: [slot_f1, latency_us@sim]' 'stop: {candidates: 4}'; do
			grep -q "^${line%%:*}:" "$DIR/extra" || echo "$line"
		done
		cat "$DIR/extra"
	} >"$DIR/j.yaml"
}
run="$HAWSER search $DIR/j.yaml"
bad 'job file missing' 2 "none.yaml" "$HAWSER" search "$DIR/none.yaml"
bad 'unknown job name' 2 "no job file 'nope'" "$HAWSER" search nope
echo 'spce: home-small' | job
bad 'unknown key in a job' 2 "j.yaml:[0-9]+:1: unknown key 'spce'.*'space'" $run
echo 'space: nope' | job
bad 'job with an unknown space' 2 "'nope'" $run
echo 'objectives: [slot_f1, latencyus@sim]' | job
bad 'unknown metric' 2 "j.yaml:[0-9]+:[0-9]+: .*latencyus" $run
echo 'objectives: [slot_f1, latency_us]' | job
bad 'metric without its device' 2 "j.yaml:[0-9]+:[0-9]+: .*latency_us" $run
echo 'objectives: [slot_f1, latency_us@nope]' | job
bad 'unknown device in a job' '[23]' "'nope'" $run
echo 'objectives: [slot_f1]' | job
bad 'one objective' 2 "j.yaml:[0-9]+:[0-9]+: 'objectives' needs" $run
echo 'stop: {hours: nan}' | job
bad 'NaN in a job' 2 "j.yaml:[0-9]+:[0-9]+: .*nan" $run
echo 'stop: {candidates: 1e99}' | job
bad 'absurd stop rule' 2 'j.yaml:[0-9]+:[0-9]+: ' $run
echo 'limits: ["flash_bytes<=inf"]' | job
bad 'infinite limit' 2 'j.yaml:[0-9]+:[0-9]+: ' $run
echo 'limits: ["slot_f1"]' | job
bad 'limit without a bound' 2 'j.yaml:[0-9]+:[0-9]+: .*slot_f1' $run
echo 'search: {algorithm: magic}' | job
bad 'unknown algorithm' 2 "unknown algorithm 'magic'" $run
echo 'data: builtin:nope' | job
bad 'unknown built-in data' 2 "'nope'" $run
echo 'job: "../../x"' | job
bad 'job name that is a path' 2 "job name" $run

# ---- data
data="$HAWSER data show"
bad 'data missing' 2 'none.tsv' $data "$DIR/none.tsv"
: >"$DIR/d.tsv"
bad 'empty data set' 2 'd.tsv' $data "$DIR/d.tsv"
printf 'turn it on\ton\n\toff\nturn it off\toff\n' >"$DIR/d.tsv"
bad 'label without text' 2 'd.tsv:2' $data "$DIR/d.tsv"
printf 'turn it on\ton\nturn it off\n' >"$DIR/d.tsv"
bad 'text without label' 2 'd.tsv:2' $data "$DIR/d.tsv"
printf 'turn it on\ton\nturn \377 off\toff\n' >"$DIR/d.tsv"
bad 'data that is not UTF-8' 2 'd.tsv:2' $data "$DIR/d.tsv"
printf 'a b\tx\nc d\tx\ne f\tx\n' >"$DIR/d.tsv"
bad 'one label only' 2 'one label only' $data "$DIR/d.tsv"
mkdir -p "$DIR/clinc"
echo '{"train": [["a", "b"' >"$DIR/clinc/data_full.json"
bad 'truncated JSON' 2 'data_full.json:[0-9]+:[0-9]+' $data "$DIR/clinc/data_full.json"

# ---- networks
g='enc;v=300;t=32;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h1k1x16f32r0b8'
measure="$HAWSER measure --device local --genome"
bad 'unknown preset' 2 "no preset 'tinybert-5'.*'tinybert-4'" "$HAWSER" measure --preset tinybert-5
bad 'bad genome text' 2 'genome|gene|expected' $measure 'enc;v=;;;'
bad 'genome out of range' 2 "gene '.*' is" $measure "$(echo "$g" | sed 's/;d=16/;d=60000/')"
bad 'heads that do not divide' 2 'kv|head' $measure "$(echo "$g" | sed 's/h1k1/h3k2/')"
bad 'empty genome' 2 'genome|gene|expected' $measure ''
bad 'no network named' 2 'name one network' "$HAWSER" measure
bad 'unknown device' '[23]' "'nope'" "$HAWSER" measure --genome "$g" --device nope
bad 'precision of nothing' 2 'precision' "$HAWSER" measure --genome "$g" --precision 0
mkdir -p "$DIR/empty-path"
bad 'compiler missing' 1 "'?(cc|gcc)'?|compiler" env PATH="$DIR/empty-path" "$HAWSER" measure --genome "$g" --device local

# ---- databases, which must stay as they are
db=$DIR/results/hawser.db
mkdir -p "$DIR/results"
rm -f "$db"*
bad 'no database yet' 2 'no database' "$HAWSER" front
bad 'nothing to report' 2 'no database' "$HAWSER" report
bad 'nothing to stop' 2 'no database|no job' "$HAWSER" stop
head -c 20000 /bin/sh >"$db"
keep "$db"
bad 'corrupt database' 1 "hawser.db' (is not|.*damaged)" "$HAWSER" front
job </dev/null
bad 'search on a corrupt database' 1 "hawser.db' (is not|.*damaged)" $run
unchanged 'a corrupt database stays as it is' "$db"
echo 'dear diary, this is no database' >"$db"
keep "$db"
bad 'text for a database' 1 'hawser.db' "$HAWSER" status
unchanged 'a text file stays as it is' "$db"
# One empty page of SQLite whose application id, at byte 68, is another program's.
{
	printf 'SQLite format 3\000\020\000\001\001\000\100\040\040\000\000\000\001\000\000\000\001'
	head -c 24 /dev/zero
	printf '\000\000\000\001'
	head -c 8 /dev/zero
	printf '\052\052\052\052'
	head -c 20 /dev/zero
	printf '\000\000\000\001\000\056\107\020'
	printf '\015\000\000\000\000\020\000\000'
	head -c 3988 /dev/zero
} >"$db"
keep "$db"
bad 'database of another program' 1 'another program|not a hawser database' "$HAWSER" front
bad 'search on a foreign database' 1 'another program|not a hawser database' $run
unchanged 'a foreign database stays as it is' "$db"
rm -rf "$db"*
mkdir -p "$db"
bad 'database is a folder' 1 'hawser.db' "$HAWSER" front
rm -rf "$db"*
finish
