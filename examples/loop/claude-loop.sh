#!/usr/bin/env bash
# The loop of loop.py over the command: bash and policyctl, nothing else. docs/loop.md is the manual of both.
#
#     ./claude-loop.sh --enable-multi-provider --prd prd.json
set -euo pipefail

here=./${BASH_SOURCE[0]} && [[ ${BASH_SOURCE[0]} != /* ]] || here=${BASH_SOURCE[0]}
here=$(cd -- "${here%/*}" && pwd)
prd=prd.json policy=$here/loop.policy multi=${ENABLE_MULTI_PROVIDER:-} offline='' before='' after='' mode=work
asked=() checks=() period=() detailed=() provider='' days=''

usage() {
    echo "claude-loop: $1" >&2
    exit 2
}

while (($#)); do
    case $1 in
    --enable-multi-provider) multi=true ;;
    --enable-mcp) asked+=(--requires-tools) ;;
    --prd | --policy | --before | --after) printf -v "${1#--}" %s "${2?$1 needs a value}" && shift ;;
    --tier | --preferred | --skill) asked+=("$1" "${2?$1 needs a value}") && shift ;;
    --check) checks+=(--check "${2?$1 needs NAME=COMMAND}") && shift ;;
    --offline) offline=plain && if [[ ${2:--} != -* ]]; then offline=$2 && shift; fi ;;
    --cost-report) mode=report && if [[ ${2:-} =~ ^[0-9]+$ ]]; then days=$2 && shift; fi ;;
    --provider-breakdown) mode=breakdown && if [[ ${2:--} != -* ]]; then provider=$2 && shift; fi ;;
    --provider-health) mode=health ;;
    --since) period=(--since "${2?$1 needs a time}") && shift ;;
    --this-month) period+=(--this-month) ;;
    --current-run) period+=(--current-run) ;;
    --detailed) detailed=(--detailed) ;;
    *) usage "unknown option $1; docs/loop.md lists them" ;;
    esac
    shift
done

# What nobody paid for is kept apart.
folder=.claude-loop${offline:+/offline}
world=(--policy "$policy" --ledger "$folder/policyctl.db")

# --- reports: the command's own pages -------------------------------------------------------------------

((${#period[@]})) || [[ -z $days && -n ${COST_REPORT_DAYS:-} ]] || period=(--days "${days:-7}")
case $mode in
report) exec policyctl report "${world[@]}" "${period[@]}" "${detailed[@]}" ;;
breakdown)
    if [[ $provider ]]; then exec policyctl provider-breakdown --provider "$provider" "${world[@]}" "${period[@]}"; fi
    exec policyctl report --verbose "${world[@]}" "${period[@]}" "${detailed[@]}"
    ;;
health) exec policyctl health "${world[@]}" ;;
esac

# --- the run: its name is kept until all stories pass ------------------------------------------------------

put() { # FILE: standard input becomes the file, whole or not at all
    cat >"$1.new" && mv -- "$1.new" "$1"
}

field() { # NAME DOCUMENT: what stands at the top of a JSON document of policyctl under a name, as it stands there
    local line=$'\n' && local pattern="$line  \"$1\": ([^$line]*)"
    [[ $2 =~ $pattern ]] && printf %s "${BASH_REMATCH[1]%,}"
}

mkdir -p "$folder/answers"
if [[ ! -e $folder/run.json ]]; then
    printf '{"run_id": "run-%(%Y%m%d%H%M%S)T-%05d"}\n' -1 "$RANDOM" | put "$folder/run.json"
fi
run=$(<"$folder/run.json") && run=${run#*: \"} && run=${run%\"*}
mkdir -p "$folder/kept/$run"
rm -f -- "$folder"/answers/*.new # of runs that were killed

[[ $offline ]] && asked+=(--offline)
[[ $offline && $offline != plain ]] && asked+=(--script "$offline")
[[ $multi =~ ^(true|yes|on|1)$ ]] || asked+=(--baseline)
((${#checks[@]})) || checks=(--prd-checks)

interrupted='' again='interrupted; start the loop again to go on'
trap 'interrupted=yes' INT

leave() { # CODE WORDS
    echo "$2" >&2
    exit "$1"
}

hook() { # COMMAND STORY ANSWER: without a shell, its words are split at blanks
    local words
    [[ $1 ]] || return 0
    read -ra words <<<"$1"
    LOOP_RUN=$run LOOP_STORY=$2 LOOP_ANSWER=$3 "${words[@]}"
}

learn() { # DOCUMENT: a note behind the others, a line each, once a run
    local notes='[' file=$folder/learnings.json note name
    note="{\"run\": \"$run\", \"story\": $(field story "$1"),"
    if [[ -e $file ]]; then
        notes=$(<"$file")
        [[ $notes != *"$note"* ]] || return 0
        notes=${notes%]*} && notes=${notes%$'\n'},
    fi
    for name in model tier escalations cost_usd; do note+=" \"$name\": $(field "$name" "$1"),"; done
    printf '%s\n  %s}\n]\n' "$notes" "${note%,}" | put "$file"
}

policyctl stories --prd "$prd" >/dev/null # which tells what is odd about it

failed=() worst=0
while true; do
    skip=() && for id in "${failed[@]}"; do skip+=(--skip "$id"); done
    code=0 && story=$(policyctl stories --prd "$prd" --next "${skip[@]}") || code=$?
    [[ $interrupted ]] && leave 130 "$again"
    ((code == 1)) && break
    ((code == 0)) || exit "$code"
    name=${story//[^[:alnum:]_-]/.} && answer=$folder/answers/$name.json kept=$folder/kept/$run/$name.json
    echo "$story" >&2
    code=0 && hook "$before" "$story" '' || code=1
    if ((code == 0)); then
        # The answer lies in `kept` before it is paid for, and is taken from there after a crash.
        policyctl run --prd "$prd" --story "$story" "${world[@]}" --run "$run" --keep "$kept" --json \
            "${checks[@]}" "${asked[@]}" >"$answer.$$.new" || code=$?
        ((code == 130)) || [[ $interrupted ]] && leave 130 "$again"
    fi
    if ((code == 0)); then
        mv -- "$answer.$$.new" "$answer"
        hook "$after" "$story" "$answer" || code=1
    fi
    if ((code == 0)); then
        learn "$(<"$answer")"
        policyctl stories --prd "$prd" --done "$story"
        rm -f -- "$kept"
        continue
    fi
    ((code == 6)) && rm -f -- "$kept" # a wrong answer isn't worth keeping
    if ((code == 4)); then
        said=$(<"$answer.$$.new")
        leave 4 "  refused until $(field until "$said"): $(field words "$said")"
    fi
    echo "  $story isn't done (exit code $code)" >&2
    ((code == 2)) && exit 2
    failed+=("$story")
    ((worst)) || worst=$code
done

if [[ $(policyctl stories --prd "$prd" --json) == *'"to_do": 0,'* ]]; then
    rm -rf -- "$folder/run.json" "$folder/kept/$run"
    leave 0 "all stories pass; $run is complete"
fi
policyctl stories --prd "$prd" >&2
((worst)) || worst=3
leave "$worst" "stories are left; start the loop again to go on with $run"
