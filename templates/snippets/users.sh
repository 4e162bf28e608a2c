{#
  The accounts of `users`, for installers without a command for them. Runs in the installed system as root.
  Each: name, and optionally password_crypted (else locked), groups, ssh_keys, sudo.
#}
{% for user in params.users | default([]) %}
id {{ user.name | sh }} > /dev/null 2>&1 || useradd --create-home --shell /bin/bash {{ user.name | sh }}
usermod --password {{ user.password_crypted | default("!", true) | sh }} {{ user.name | sh }}
{% for group in user.groups | default([]) %}
usermod --append --groups {{ group | sh }} {{ user.name | sh }}
{% endfor %}
{% endfor %}
