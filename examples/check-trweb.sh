#!/bin/bash
# SPDX-License-Identifier: MIT
# check-trweb.sh - trweb under curl, wrk and clients that behave badly; its stop; its errors.
# shellcheck source=examples/support/check.sh
. "${top_srcdir:-.}/examples/support/check.sh" || exit 1

trweb=$examples/trweb
head='GET / HTTP/1.1\r\nHost: x\r\n\r\n'

# get FORMAT PATH [OPTION...]: what curl says of one request
get()
{
    curl -s -m 20 -o "$work/body" -w "$1" "${@:3}" "http://127.0.0.1:$port$2"
}

# The most memory the server has used, in KiB.
peak()
{
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

# Clock ticks of CPU time the server has used.
ticks()
{
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

refused()
{
    [ "$(client)" = refused ]
}

# wrk on /, if it is installed
load()
{
    if ! command -v wrk >/dev/null; then
        skip "wrk finds no socket errors" "wrk is not installed"
        return
    fi
    wrk -t1 -c64 -d "$(strict 5 2)s" "http://127.0.0.1:$port/" >"$work/wrk"
    ok "wrk finds requests" grep -q 'requests in' "$work/wrk"
    is "wrk finds no socket errors" "$(grep -c 'Socket errors\|Non-2xx' "$work/wrk")" 0
    sed -n 's/^/# /; /Requests\/sec/p' "$work/wrk"
}

# --- pages
start "$work/log" "$trweb" --port 0
server=$pid
is "/ is a page of 176 bytes" "$(get '%{http_code} %{size_download}' /)" "200 176"
is "another path is not there" "$(get '%{http_code}' /nope)" 404
is "POST finds nothing" "$(get '%{http_code}' / -X POST -d data)" 404
is "HEAD finds nothing, and has no body" "$(get '%{http_code} %{size_download}' / -I)" "404 0"
is "HTTP/1.0 is served" "$(get '%{http_code} %{size_download}' / -0)" "200 176"
is "two requests use one connection" \
    "$(get "%{num_connects} " / -o /dev/null "http://127.0.0.1:$port/")" "1 0 "

# --- requests in odd pieces
is "a request byte by byte" "$(client "drip=$head" answer)" "200 176 keep"
is "three requests in one packet" "$(client "send=$head$head$head" answer answer answer | joined)" \
    "200 176 keep; 200 176 keep; 200 176 keep"
is "the client may ask for the end" \
    "$(client 'send=GET / HTTP/1.1\r\nConnection: close\r\n\r\n' answer end | joined)" \
    "200 176 close; fin 0"
is "a half-closed client gets its answer" "$(client "send=$head" shut answer end | joined)" \
    "200 176 keep; fin 0"
is "a request of no bytes" "$(client shut end)" "fin 0"
is "half a request and the end" "$(client 'send=GET / HT' shut answer end | joined)" \
    "400 21 close; fin 0"
is "binary noise" "$(client 'send=\x16\x03\x01' noise=100000 answer end | joined)" \
    "400 21 close; fin 0"
is "a line that is too long" "$(client fill=9000 answer end | joined)" "414 18 close; fin 0"
is "a head that is too large" "$(client 'send=GET / HTTP/1.1\r\n' fill=9000 answer end | joined)" \
    "431 18 close; fin 0"
before=$(peak "$server")
for _ in 1 2 3 4 5; do
    client fill=10000000 answer
    client noise=10000000 end
done >"$work/large"
is "10 MB without a newline, five times" "$(grep -c '^414' "$work/large")" 5
room=4096 # KiB; a sanitizer needs more for itself than the connections do
[ "${TR_SANITIZER:-no}" = no ] || room=32768
ok "and memory does not grow" between $(($(peak "$server") - before)) 0 $room

# --- many at once; the limit on half a request passes meanwhile
requests=()
for _ in {1..100}; do
    get '%{http_code} %{time_total}\n' /sleep >>"$work/sleeps" &
    requests+=("$!")
done
client 'send=GET / HT' answer end >"$work/half" &
requests+=("$!")
sleep 1 # the time of a plain request is to be taken in the middle
ok "a plain request meanwhile is quick" \
    between "$(get '%{http_code} %{time_total}' / | sed 's/^200 //')" 0 "$(strict 0.05 0.5)"
[ "$full" = 1 ] || load # the times of the full form are taken without it
wait "${requests[@]}"
[ "$full" != 1 ] || load
is "100 requests of /sleep are answered" "$(grep -c '^200 ' "$work/sleeps")" 100
ok "none of them early" between "$(cut -d' ' -f2 "$work/sleeps" | sort -n | head -n 1)" \
    5.0 "$(strict 5.3 7)"
ok "none of them late" between "$(cut -d' ' -f2 "$work/sleeps" | sort -n | tail -n 1)" \
    5.0 "$(strict 5.3 7)"
is "half a request is told that it is too slow" "$(joined <"$work/half")" "408 18 close; fin 0"

# --- the stop
client "send=$head" answer end >"$work/idle" &
requests=("$!")
client end >"$work/silent" &
requests+=("$!")
client 'send=GET / HT' end >"$work/half" &
requests+=("$!")
get '%{http_code} %{size_download}\n' /sleep -D "$work/heads" >"$work/flight" &
requests+=("$!")
sleep 0.5 # all of them are to be under way
kill -TERM "$server"
ok "new connections are refused" until_true 2 refused
ok "while requests are under way" kill -0 "$server"
ok "and idle connections have ended" until_true 1 grep -q fin "$work/idle"
term_start=$EPOCHREALTIME
status=0
wait "$server" || status=$?
wait "${requests[@]}"
is "SIGTERM ends it with status 0" "$status" 0
ok "as soon as the request in flight is answered" \
    between "$(awk -v a="$term_start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')" 2 6.5
is "the request in flight gets its answer" "$(cat "$work/flight")" "200 176"
ok "which is the last one" grep -qi '^connection: close' "$work/heads"
is "the idle connection ends cleanly" "$(joined <"$work/idle")" "200 176 keep; fin 0"
is "the silent one too" "$(cat "$work/silent")" "fin 0"
ok "half a request does not hold the stop" grep -q '^fin' "$work/half"
ok "the last line is the summary" ends_with "$work/log" \
    "shutdown: [4-9] stopped, 0 late, 0 lost, 0 discarded"
sed 's/^/# /' "$work/log"

# --- the book's form
start "$work/log" "$trweb" --book --port 0
is "--book: / is a page of 176 bytes" "$(get '%{http_code} %{size_download}' /)" "200 176"
is "--book: the answer is bare" "$(client "send=$head" line line end | tr -d '\r' | joined)" \
    "HTTP/1.1 200 OK; ; fin 176"
is "--book: another path is not there" "$(get '%{http_code}' /nope)" 404
is "--book: POST finds nothing" "$(get '%{http_code}' / -X POST)" 404
is "--book: HTTP/1.0 finds nothing" "$(get '%{http_code}' / -0)" 404
term "$pid"
is "--book: SIGTERM ends it with status 0" "$status" 0

# --- without standard descriptors
port=$((20000 + RANDOM % 12000))
"$trweb" --port "$port" <&- >&- 2>&- &
pid=$!
children+=("$pid")
ok "it serves with 0, 1 and 2 closed" until_true 10 get '' /
is "which are no sockets then" "$(readlink "/proc/$pid/fd/"{0,1,2} | joined)" "/dev/null; /dev/null; /dev/null"
term "$pid"
is "and stops as always" "$status" 0

# --- out of descriptors
# shellcheck disable=SC2016  # expanded by the inner shell
start "$work/log" bash -c 'ulimit -n 64; exec "$0" --port 0' "$trweb"
requests=()
for _ in {1..200}; do
    "$support/netclient" "$port" hush=30000 >/dev/null & # no function: its number is wanted
    requests+=("$!")
    children+=("$!")
done
ok "200 clients and 64 descriptors: it says so" until_true 10 grep -q 'wait until one closes' "$work/log"
before=$(ticks "$pid")
sleep 2 # the span of a measurement
ok "starved, it uses less than 5 % of a CPU" \
    between $((100 * ($(ticks "$pid") - before) / (2 * $(getconf CLK_TCK)))) 0 4.9
kill "${requests[@]}"
wait "${requests[@]}" 2>/dev/null
ok "it serves again within a second" \
    between "$(get '%{http_code} %{time_total}' / -m 5 | sed 's/^200 //')" 0 1
term "$pid"
is "and stops as always" "$status" 0

# --- in the hands of a service manager
if command -v socat >/dev/null; then
    socat -u "UNIX-RECV:$work/notify" "CREATE:$work/states" &
    manager=$!
    children+=("$manager")
    until_true 5 test -S "$work/notify"
    NOTIFY_SOCKET=$work/notify start "$work/log" "$trweb" --port 0
    ok "it reports READY=1" until_true 5 grep -q 'READY=1' "$work/states"
    term "$pid"
    ok "then STOPPING=1" until_true 5 grep -q 'READY=1STOPPING=1$' "$work/states"
    kill "$manager"
else
    skip "it reports READY=1" "socat is not installed"
fi
start "$work/log" "$support/handover" "$trweb"
is "it serves on a socket that is handed over" "$(get '%{http_code}' /)" 200
is "whose port it tells" "$port" "$(head -n 1 "$work/log")"
term "$pid"
is "and stops as always" "$status" 0

# --- wrong use: one line, status 1
# complains WORD COMMAND...: the command prints one line, with the word, and ends with status 1
complains()
{
    local word=$1 out

    shift
    out=$(timeout 10 "$@" 2>&1 >/dev/null; echo "exit $?")
    if [ "$(sed -n 2p <<<"$out")" != "exit 1" ] || ! grep -q "$word" <<<"$out"; then
        echo "# it says: $out"
        return 1
    fi
}

start "$work/log" "$trweb" --port 0
ok "a port in use" complains "$port.*in use" "$trweb" --port "$port"
term "$pid"
if [ "$(id -u)" = 0 ]; then
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
else
    nobody=()
fi
if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -le 81 ]; then
    skip "a privileged port" "the kernel lets everybody have it"
elif ! "${nobody[@]}" "$trweb" --help >/dev/null 2>&1; then
    skip "a privileged port" "no way to start it as another user"
else
    ok "a privileged port" complains '81.*[Pp]ermission' "${nobody[@]}" "$trweb" --port 81
fi
ok "an unknown option" complains bogus "$trweb" --bogus
ok "an option without its value" complains port "$trweb" --port
ok "a port that is none" complains 65536 "$trweb" --port 65536
ok "an empty port" complains 'no port' "$trweb" --port ''
ok "a word that is no option" complains word "$trweb" word
# --help prints the usage
helps()
{
    "$trweb" --help >"$work/help" && grep -q '^usage: trweb' "$work/help"
}

ok "--help is no error" helps
done_checking
