{#
  SSH keys for root and the users of `users`, sudo for those who have it. Runs in the installed system as root; the accounts exist.
#}
bw_keys() {
  home=$(getent passwd "$1" | cut -d: -f6)
  install -d -m 0700 -o "$1" -g "$(id -gn "$1")" "$home/.ssh"
  printf %s "$2" > "$home/.ssh/authorized_keys"
  chown "$1:$(id -gn "$1")" "$home/.ssh/authorized_keys"
  chmod 0600 "$home/.ssh/authorized_keys"
}
{% if params.ssh_keys %}
bw_keys root {{ (params.ssh_keys | join("\n") ~ "\n") | sh }}
{% endif %}
{% for user in params.users | default([]) %}
{% if user.ssh_keys %}
bw_keys {{ user.name | sh }} {{ (user.ssh_keys | join("\n") ~ "\n") | sh }}
{% endif %}
{% if user.sudo %}
echo {{ (user.name ~ " ALL=(ALL) NOPASSWD: ALL") | sh }} > {{ ("/etc/sudoers.d/" ~ user.name) | sh }}
chmod 0440 {{ ("/etc/sudoers.d/" ~ user.name) | sh }}
{% endif %}
{% endfor %}
