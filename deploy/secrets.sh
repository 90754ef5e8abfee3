#!/bin/sh
# Writes .env with a random password for each secret of deploy/compose.env.example. An .env that is there keeps all it has
# and gets what is missing, so that it may be run again after an update. If there is no senders' file for intake yet, it writes
# one with a sender "demo", whose token is in deploy/intake/token.
set -eu
cd "$(dirname "$0")/.."
umask 077
touch .env
missing=$(while IFS= read -r line; do
	name=${line%%=*}
	case $line in
	[A-Z]*=) grep -q "^$name=." .env || echo "$name=$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" ;;
	esac
done <deploy/compose.env.example)
[ -z "$missing" ] || printf '\n%s\n' "$missing" >>.env

if [ ! -e deploy/intake/senders.yaml ]; then
	token=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
	hash=$(printf %s "$token" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1)
	echo "$token" >deploy/intake/token
	sed "s/HASH/$hash/" deploy/intake/senders.example.yaml >deploy/intake/senders.yaml.new
	chmod 644 deploy/intake/senders.yaml.new # intake is another user; it holds no secret but the hash of one
	mv deploy/intake/senders.yaml.new deploy/intake/senders.yaml
fi
