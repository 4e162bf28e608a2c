{#
  What debian.cfg runs in the new system as root at the end of the installation, as a script of its own. Its marker file says that all
  went well; a failure is told from here, because only the new system has a curl that can send the log.
#}
#!/bin/sh
{% include "snippets/curl.sh" %}
{% set firstboot = params.firstboot | default(true) %}
bw_work() (
set -eu
echo {{ host.label | sh }} > /etc/hostname
{% include "snippets/users.sh" %}
{% include "snippets/keys.sh" %}
{% if firstboot %}
{% include "snippets/firstboot.sh" %}
{% endif %}
{% for command in params.post_commands | default([]) %}
{{ command }}
{% endfor %}
)
tell progress/post_running
bw_work > /root/bw-post.log 2>&1
if [ $? -eq 0 ]; then
  touch /root/.bw-post-ok
elif command -v curl > /dev/null; then
  tell failed /root/bw-post.log && touch /root/.bw-failed-told
fi
