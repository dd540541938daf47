#!/bin/sh
# `make install` puts everything a search needs below PREFIX; the installed program finds it
# from anywhere, and keeps the user's results out of there.
set -u
. tests/e2e/tap
build=$(dirname "$HAWSER")
unset HAWSER_RESULTS HAWSER_HOME

# What is built is not built again here: -o all.
check 'make install' make -s -o all BUILD="$build" install DESTDIR="$DIR/stage" PREFIX=/usr
mv "$DIR/stage/usr" "$DIR/moved" # paths are found, not compiled in
installed=$DIR/moved/bin/hawser
export HOME="$DIR/home"
mkdir -p "$HOME"
(cd "$DIR/moved" && find . -type f | sort) >"$DIR/before"

cd "$DIR" || exit 1
check 'it runs' "$installed" --version
check 'it finds the spaces' "$installed" space show home-small
check 'it finds the devices' "$installed" device list
prints 'all of them' '^local ' out
check 'it searches' "$installed" search sim
check 'results are below the home folder' test -s "$HOME/.local/share/hawser/hawser.db"
check 'it shows the front' "$installed" front sim --csv
candidate=$(awk -F , '$3 == 1 { print $1; exit }' "$DIR/out")
check 'it finds the core for an export' "$installed" export "${candidate:-none}" --out "$DIR/model"
sed -n 's/^    \(cc .*\)/\1/p' "$DIR/model/README.md" | head -n 1 >"$DIR/compile"
check 'the export compiles' sh -c 'cd "$1" && . ../compile && test -x model' sh "$DIR/model"
g='enc;v=300;t=32;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h1k1x16f32r0b8'
check 'it builds for and measures on this machine' "$installed" measure --genome "$g" \
	--processes 2 --precision 0.5
XDG_DATA_HOME=$DIR/data check 'XDG_DATA_HOME is heeded' "$installed" space presets
(cd "$DIR/moved" && find . -type f | sort) >"$DIR/after"
same 'nothing was written where it is installed' before after
finish
