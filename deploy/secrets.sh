#!/bin/sh
# Writes .env with a random password for each secret of deploy/compose.env.example. An .env that is there keeps all it has
# and gets what is missing, so that it may be run again after an update.
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
