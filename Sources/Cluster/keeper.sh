# Runs a server of martlet's, and ends it when standard input ends; see Keeper.swift and docs/design/0002-watchdog.md.
#
#   sh keeper.sh ROOT BIN SYNC [DIRECTORY…]     the directories are removed at the end
#
# Each server is the child of a subshell that waits for it, so that its end is told at once and no dead
# process stays behind. The subshell sets its trap before it starts the server: when the signal comes
# earlier, no server is started. SIGCONT wakes a server that somebody has stopped. SIGPIPE is ignored
# because the subshell may have something to tell when nobody listens any more.

umask 077
trap '' PIPE
root=$1 bin=$2 sync=$3
shift 3

# "trust" is for the socket, whose directory only its owner may enter; TCP is open to every account of
# the machine, and asks for the password ($1). The empty martlet.conf tells that all of it was done.
initialise() {
    printf '%s\n' "$1" >"$root/password" &&
        "$bin/initdb" -D "$root/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 \
            --pwfile="$root/password" --encoding=UTF8 --locale=C.UTF-8 --lc-messages=C \
            --no-instructions $sync >>"$root/log" 2>&1 </dev/null &&
        echo "include_if_exists = '../martlet.conf'" >>"$root/data/postgresql.conf" &&
        : >"$root/martlet.conf"
}

serve() {
    process= ending=
    trap end TERM
    "$bin/postgres" -D "$root/data" >>"$root/log" 2>&1 </dev/null &
    process=$!
    test -z "$ending" || end
    echo "started $process"
    while :; do
        wait "$process"
        status=$?
        kill -0 "$process" 2>/dev/null || break
    done
    echo "ended $process $status"
}

# SIGQUIT again and again: a server ignores it, as everything does that a shell starts with "&", until it
# has installed its own handlers. Once it is dead and waited for, there is nobody to send it to.
end() {
    ending=1
    test -n "$process" || return
    while kill -QUIT "$process" 2>/dev/null; do
        kill -CONT "$process" 2>/dev/null
        sleep 0.1
    done &
}

children=
while read -r word argument; do
    case $word in
    initialise)
        initialise "$argument"
        echo "initialised $?" ;;
    start)
        serve &
        children="$children $!" ;;
    esac
done
for child in $children; do kill -TERM "$child" 2>/dev/null; done
wait
for directory; do rm -rf "$directory"; done
