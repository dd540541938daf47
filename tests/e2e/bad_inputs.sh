#!/bin/sh
# Bad inputs, one a case: the right exit code, one clear line on stderr, nothing lost. New
# cases go below; each is
#
#   bad NAME EXIT_CODE REGEX COMMAND...
#
# REGEX has to match the line "hawser: ..." that the command must end with. Commands work on
# a results folder with a finished job in it, whose facts must be the same afterwards.
set -u
. tests/e2e/tap

facts() {
	"$HAWSER" front base --all --csv --results "$DIR/results" 2>&1 | cksum
}

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
	elif [ "$(facts)" != "$known" ]; then
		why='the facts of the job before it are not what they were'
	else
		ok "$name"
		return
	fi
	sed 's/^/# /' "$DIR/err"
	not_ok "$name" "$why"
}

# keep FILE; unchanged NAME FILE: it is byte for byte what `keep` saw.
keep() {
	cksum <"$1" >"$DIR/sum"
}
unchanged() {
	cksum <"$2" | cmp -s - "$DIR/sum" && ok "$1" || not_ok "$1" "'$2' was changed"
}

# job NAME: a job file $DIR/NAME.yaml of a few candidates. Lines on stdin replace those with
# the same key, or are added.
job() {
	cat >"$DIR/extra"
	while read -r line; do
		grep -q "^${line%%:*}:" "$DIR/extra" || echo "$line"
	done >"$DIR/$1.yaml" <<EOF
job: $1
data: "builtin:home?n=600"
space: home-small
objectives: [slot_f1, latency_us@sim]
search: {initial: 4, batch: 2, population: 16, evolve: 4, refine: 4}
stop: {candidates: 6}
supernet: {epochs: 2}
final: {candidates: 2, seeds: 1, epochs: 2}
measure: {min_processes: 3, max_processes: 5, precision: 0.05, samples: 10, warmup: 1}
EOF
	cat "$DIR/extra" >>"$DIR/$1.yaml"
}

job base </dev/null
check 'a job with facts to lose' "$HAWSER" search "$DIR/base.yaml"
known=$(facts)
"$HAWSER" front base --all --csv >"$DIR/base.csv"
candidate=$(sed -n 2p "$DIR/base.csv" | cut -c 1-12)
check 'and it has some' test "$(wc -l <"$DIR/base.csv")" -eq 7

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
run="$HAWSER search $DIR/j.yaml"
bad 'job file missing' 2 "none.yaml" "$HAWSER" search "$DIR/none.yaml"
bad 'unknown job name' 2 "no job file 'nope'" "$HAWSER" search nope
echo 'spce: home-small' | job j
bad 'unknown key in a job' 2 "j.yaml:[0-9]+:1: unknown key 'spce'.*'space'" $run
echo 'space: nope' | job j
bad 'job with an unknown space' 2 "'nope'" $run
echo 'objectives: [slot_f1, latencyus@sim]' | job j
bad 'unknown metric' 2 "j.yaml:[0-9]+:[0-9]+: .*latencyus" $run
echo 'objectives: [slot_f1, latency_us]' | job j
bad 'metric without its device' 2 "j.yaml:[0-9]+:[0-9]+: .*latency_us" $run
echo 'objectives: [slot_f1, latency_us@nope]' | job j
bad 'unknown device in a job' '[23]' "'nope'" $run
echo 'objectives: [slot_f1]' | job j
bad 'one objective' 2 "j.yaml:[0-9]+:[0-9]+: 'objectives' needs" $run
echo 'stop: {hours: nan}' | job j
bad 'NaN in a job' 2 "j.yaml:[0-9]+:[0-9]+: .*nan" $run
echo 'stop: {candidates: 1e99}' | job j
bad 'absurd stop rule' 2 'j.yaml:[0-9]+:[0-9]+: ' $run
echo 'limits: ["flash_bytes<=inf"]' | job j
bad 'infinite limit' 2 'j.yaml:[0-9]+:[0-9]+: ' $run
echo 'limits: ["slot_f1"]' | job j
bad 'limit without a bound' 2 'j.yaml:[0-9]+:[0-9]+: .*slot_f1' $run
echo 'search: {algorithm: magic}' | job j
bad 'unknown algorithm' 2 "unknown algorithm 'magic'" $run
echo 'data: builtin:nope' | job j
bad 'unknown built-in data' 2 "'nope'" $run
echo 'job: "../../x"' | job j
bad 'job name that is a path' 2 "job name" $run
echo 'job: measure' | job j
bad 'job name that is taken' 2 "j.yaml:[0-9]+:[0-9]+: 'measure' is where" $run
echo 'limits: ["macs<=10"]' | job j
bad 'limit that no network holds' 2 "no network of space 'home-small' is within the limit 'macs<=10'" $run
echo 'limits: ["latency_us@sim<nan"]' | job j
bad 'limit that is NaN' 2 'j.yaml:[0-9]+:[0-9]+: ' $run
echo 'measure: {min_processes: 100000000}' | job j
bad 'absurd number of processes' 2 "j.yaml:[0-9]+:[0-9]+: '100000000' is not in" $run
echo 'search: {population: 1e9}' | job j
bad 'absurd population' 2 "j.yaml:[0-9]+:[0-9]+: '1e9' is not in" $run
echo 'supernet: {epochs: -1}' | job j
bad 'training for less than nothing' 2 "j.yaml:[0-9]+:[0-9]+: .*'epochs' is -1" $run
echo 'supernet: {epoch: 3}' | job j
bad 'unknown training option' 2 "j.yaml:[0-9]+:[0-9]+: .*'epoch'" $run
echo 'objectives: [perplexity, latency_us@sim]' | job j
bad 'metric of another task' 2 "metric 'perplexity' does not exist for a task of kind" $run
echo 'space: lm-small' | job j
bad 'space of another task' 2 "space 'lm-small' has arch" $run
bad 'job file is a folder' 1 'it is a folder' "$HAWSER" search "$DIR"
job base <<EOF
seed: 7
EOF
bad 'job that was something else before' 2 "job 'base' exists with another description" \
	"$HAWSER" search "$DIR/base.yaml"
job base </dev/null

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
bad 'unreadable data' 1 "cannot read '/proc/self/mem'" $data /proc/self/mem --format tsv
bad 'unknown data format' 2 "unknown data format 'nope'" $data builtin:home --format nope
bad 'absurd size of built-in data' 2 'n must be' $data 'builtin:home?n=999999999999'
mkdir -p "$DIR/seq/train"
printf 'a b\nc d\n' >"$DIR/seq/train/seq.in"
printf 'O O\nO\n' >"$DIR/seq/train/seq.out"
printf 'x\ny\n' >"$DIR/seq/train/label"
bad 'words without a tag' 2 'seq.in:2: 2 words but 1 tag' $data "$DIR/seq"
rm "$DIR/seq/train/label"
bad 'data set without its labels' 2 'label' $data "$DIR/seq" --format seqio
bad 'import over other files' 1 'holds other files' "$HAWSER" data import builtin:home "$DIR/results"
bad 'nothing to fetch from' 1 "127.0.0.1:1/x'" "$HAWSER" data fetch http://127.0.0.1:1/x "$DIR/x"
bad 'no hash to check a download with' 2 "'12' is no SHA-256" \
	"$HAWSER" data fetch http://127.0.0.1:1/x "$DIR/x" --sha256 12
bad 'truncated JSON' 2 'data_full.json:[0-9]+:[0-9]+' $data "$DIR/clinc/data_full.json"

# ---- training
train="$HAWSER train --data builtin:home?n=600"
g='enc;v=300;t=32;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h1k1x16f32r0b8'
bad 'training nothing' 2 'needs one of' $train
bad 'learning rate is NaN' 2 "'nan' is not a number" $train --genome "$g" --set lr=nan
bad 'no epochs' 2 "'epochs' must be above 0" $train --genome "$g" --epochs 0
bad 'unknown option of training' 2 "unknown training option 'foo'" $train --genome "$g" --set foo=1
bad 'ranking in an unknown space' 2 "no search space 'nope'" $train --check-ranking --space nope

# ---- networks
measure="$HAWSER measure --device local --genome"
bad 'unknown preset' 2 "no preset 'tinybert-5'.*'tinybert-4'" "$HAWSER" measure --preset tinybert-5
bad 'bad genome text' 2 'genome|gene|expected' $measure 'enc;v=;;;'
bad 'genome out of range' 2 "gene '.*' is" $measure "$(echo "$g" | sed 's/;d=16/;d=60000/')"
bad 'heads that do not divide' 2 'kv|head' $measure "$(echo "$g" | sed 's/h1k1/h3k2/')"
bad 'empty genome' 2 'genome|gene|expected' $measure ''
bad 'no network named' 2 'name one network' "$HAWSER" measure
bad 'unknown device' '[23]' "'nope'" "$HAWSER" measure --genome "$g" --device nope
bad 'precision of nothing' 2 'precision' "$HAWSER" measure --genome "$g" --precision 0
bad 'absurd length' 2 "'1000000' is not in" "$HAWSER" measure --preset tinybert-4 --tokens 1000000
bad 'unknown device to probe' 2 "no device 'nope'" "$HAWSER" device probe nope
bad 'unknown task' 2 "task 'poetry'" "$HAWSER" measure --genome "$g" --task poetry

# ---- looking at what is there
bad 'unknown job' 2 "no job 'nope'" "$HAWSER" front nope
bad 'report of an unknown job' 2 "no job 'nope'" "$HAWSER" report nope
bad 'stopping what does not run' 2 "'base' is not running" "$HAWSER" stop base
bad 'limit without a number' 2 "limit 'latency_us@sim<nan'" "$HAWSER" front --where 'latency_us@sim<nan'
bad 'absurd number in a limit' 2 "limit 'latency_us@sim<1e999'" "$HAWSER" front --where 'latency_us@sim<1e999'
bad 'limit on an unknown metric' 2 "unknown metric 'latencyus'" "$HAWSER" front --where 'latencyus@sim<3'
bad 'best of an unknown metric' 2 "unknown metric 'beauty'" "$HAWSER" front --best beauty
bad 'two formats at once' 2 'not both' "$HAWSER" front --csv --json
bad 'unknown candidate' 2 "no candidate 'ffffff'" "$HAWSER" show ffffff
bad 'no hash of a candidate' 2 "'../x' is not a candidate" "$HAWSER" show ../x
bad 'export of an unknown candidate' 2 "no candidate 'ffffff'" "$HAWSER" export ffffff
bad 'export in an unknown format' 2 "unknown format 'onnx'" "$HAWSER" export "$candidate" --format onnx
bad 'export over other files' 1 'is not empty' "$HAWSER" export "$candidate" --inherited --out "$DIR/results"
bad 'export below a file' 2 "cannot create folder" "$HAWSER" export "$candidate" --inherited --out /dev/null/x
bad 'report below a file' 2 "cannot create folder" "$HAWSER" report base --out /dev/null/x
printf 'a,b\n1,2\nnan,3\n' >"$DIR/t.csv"
bad 'table with NaN' 2 "column 'a' is not all numbers" \
	"$HAWSER" cost score --csv "$DIR/t.csv" --target a
bad 'table without the column' 2 "no column 'c'" "$HAWSER" cost score --csv "$DIR/t.csv" --target c
printf 'a,b\n1,2\n3\n' >"$DIR/t.csv"
bad 'table with a short line' 2 'line 3: 2 fields' "$HAWSER" cost score --csv "$DIR/t.csv" --target b

# ---- programs and devices that are missing
mkdir -p "$DIR/no-path"
echo 'objectives: [slot_f1, latency_us@local]' | job here
bad 'compiler missing: measure' 1 "compiler 'gcc' does not run: install it" \
	env PATH="$DIR/no-path" "$HAWSER" measure --genome "$g" --device local
bad 'compiler missing: search' 1 "compiler 'gcc' does not run: install it" \
	env PATH="$DIR/no-path" "$HAWSER" search "$DIR/here.yaml"
bad 'gnuplot missing' 1 "without plots: program 'gnuplot' is not installed" \
	env PATH="$DIR/no-path" "$HAWSER" report base --out "$DIR/report"
check 'gnuplot missing: the page is there' test -s "$DIR/report/index.html"
bad 'agent missing' 3 "device 'local' is not available: .*'/nowhere/agent'" \
	env HAWSER_AGENT=/nowhere/agent "$HAWSER" measure --genome "$g" --device local
bad 'agent that is something else' 3 "device 'local' is not available" \
	env HAWSER_AGENT=/bin/cat "$HAWSER" measure --genome "$g" --device local
if [ "$(uname -m)" = x86_64 ] && ! "$HAWSER" device probe local | grep -qw xop; then
	printf 'driver: local\ncflags: -mxop\n' >"$DIR/beyond.yaml"
	bad 'build beyond the processor' 2 "device 'beyond': .* needs 'xop', .*'-mxop'" \
		"$HAWSER" measure --genome "$g" --device "$DIR/beyond.yaml"
else
	skip 'build beyond the processor' 'this processor is no x86-64 without xop'
fi
bad 'agent without a folder' 3 "device 'local' is not available: .*/dev/null/" \
	env HAWSER_AGENT_CACHE=/dev/null/x "$HAWSER" measure --genome "$g" --device local

# ---- a full disk: a limit on the size of files stands for it
cat >"$DIR/full" <<'EOF'
#!/bin/sh
ulimit -f "$1"
shift
exec "$@"
EOF
chmod +x "$DIR/full"
echo 'supernet: {epochs: 3}' | job full
bad 'full disk: the supernet' 1 'cannot write .*/supernets/.*: File too large' \
	"$DIR/full" 1000 "$HAWSER" search "$DIR/full.yaml"
export HAWSER_RESULTS="$DIR/disk"
mkdir -p "$DIR/disk"
cp -R "$DIR/results/supernets" "$DIR/disk/"
for blocks in 20 400 600; do
	bad "full disk: the database after $blocks blocks" 1 'no space left for the database .* is safe' \
		"$DIR/full" $blocks "$HAWSER" search "$DIR/base.yaml"
done
check 'full disk: the job goes on when there is space' "$HAWSER" search "$DIR/base.yaml"
check 'full disk: its facts can be read' "$HAWSER" front base --all --csv
same 'full disk: they equal those of the other run' out base.csv
for blocks in 200 1200; do
	bad "full disk: a build after $blocks blocks" 1 'File too large' \
		"$DIR/full" $blocks "$HAWSER" search "$DIR/here.yaml"
done
check 'full disk: the job goes on here too' "$HAWSER" search "$DIR/here.yaml"
check 'full disk: its state can be read' "$HAWSER" status here --json
prints 'full disk: no candidate is blamed' '"failures": \{\}' out
# ---- databases, which must stay as they are
export HAWSER_RESULTS="$DIR/other"
db=$DIR/other/hawser.db
mkdir -p "$DIR/other"
bad 'no database yet' 2 'no database' "$HAWSER" front
bad 'nothing to report' 2 'no database' "$HAWSER" report
bad 'nothing to stop' 2 'no database|no job' "$HAWSER" stop
head -c 20000 /bin/sh >"$db"
keep "$db"
bad 'corrupt database' 1 "hawser.db' (is not|.*damaged)" "$HAWSER" front
job j </dev/null
bad 'search on a corrupt database' 1 "hawser.db' (is not|.*damaged)" $run
unchanged 'a corrupt database stays as it is' "$db"
head -c 50000 "$DIR/results/hawser.db" >"$db"
keep "$db"
bad 'truncated database' 1 "hawser.db' is damaged" "$HAWSER" front
bad 'search on a truncated database' 1 "hawser.db' is damaged" $run
unchanged 'a truncated database stays as it is' "$db"
cp "$DIR/results/hawser.db" "$db"
printf '\377' | dd of="$db" bs=1 seek=62 conv=notrunc 2>/dev/null # its schema's number
keep "$db"
bad 'database of a newer hawser' '[12]' "has schema 65[0-9]*, this hawser knows" "$HAWSER" front
bad 'search on a newer database' '[12]' "has schema 65[0-9]*, this hawser knows" $run
unchanged 'a newer database stays as it is' "$db"
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
