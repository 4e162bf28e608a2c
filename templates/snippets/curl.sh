{#
  tell VERB [FILE]: report to the server with curl, FILE's last 64 KiB as text. Never fails the installation.
  `tell_tries` (default 5) is how often it tries, two seconds apart. The URL holds an address, not a name: a chroot may have no resolver.
#}
tell() {
  if [ -n "${2:-}" ] && [ -r "$2" ]; then
    tail -c 65536 "$2" > /tmp/bw-tail.log
  else
    : > /tmp/bw-tail.log
  fi
  curl -fsS --retry {{ tell_tries | default(5) }} --retry-delay 2 --retry-connrefused --max-time 20 -H "Content-Type: text/plain" --data-binary @/tmp/bw-tail.log {{ callback | sh }}/"$1" || true
}
