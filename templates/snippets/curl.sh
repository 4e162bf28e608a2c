{#
  One report to the server with curl, as one literal line that a person can find: `verb` is the callback, `log` (optional) a file whose last
  64 KiB go along, `tries` (default 5) how often, five seconds apart (what our 503 asks for), `lost` what to do when none came through (default `break`: it never fails
  the installation; `exit 1` does). The shell asks again, because curl's --retry does not where an answer broke off in the middle, as it does
  when the server is started anew. The URL holds an address and not a name, because a chroot may have no resolver.
#}
bw_i=0; until {% if log %}tail -c 65536 {{ log | sh }} 2>/dev/null | {% endif %}curl -fsS --max-time 20 {% if log %}-H "Content-Type: text/plain" --data-binary @-{% else %}-X POST{% endif %} {{ callback | sh }}/{{ verb }}; do bw_i=$((bw_i+1)); [ $bw_i -lt {{ tries | default(5) }} ] || {{ lost | default("break") }}; sleep 5; done
