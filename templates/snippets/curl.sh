{#
  One report to the server with curl, as one literal line that a person can find: `verb` is the callback, `log` (optional) a file whose last
  64 KiB go along, `tries` (default 5) how often, two seconds apart. Never fails the installation. The URL holds an address and not a
  name, because a chroot may have no resolver.
#}
{% if log %}
tail -c 65536 {{ log | sh }} 2>/dev/null | curl -fsS --retry {{ tries | default(5) }} --retry-delay 2 --retry-connrefused --max-time 20 -H "Content-Type: text/plain" --data-binary @- {{ callback | sh }}/{{ verb }} || true
{% else %}
curl -fsS --retry {{ tries | default(5) }} --retry-delay 2 --retry-connrefused --max-time 20 -X POST {{ callback | sh }}/{{ verb }} || true
{% endif %}
