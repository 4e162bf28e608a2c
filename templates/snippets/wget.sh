{#
  tell VERB: report to the server with busybox wget, which knows GET and plain HTTP only. One line, for a preseed command;
  ends each statement with a semicolon. `tell_tries` (default 5) is how often it tries, two seconds apart.
#}
tell() { i=0; while [ $i -lt {{ tell_tries | default(5) }} ]; do wget -q -T 10 -O /dev/null {{ callback | sh }}/"$1" && return 0; i=$((i+1)); sleep 2; done; return 0; };
{#- -#}
