{#
  One report to the server with busybox wget, which knows GET and plain HTTP only; one line, for a preseed command. `verb` is the callback,
  `tries` (default 5) how often, two seconds apart. Never fails the installation.
#}
i=0; until wget -q -O /dev/null {{ callback | sh }}/{{ verb }} || [ $i -ge {{ tries | default(5) }} ]; do i=$((i+1)); sleep 2; done
{#- -#}
