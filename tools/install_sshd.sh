#!/bin/sh
# Install the sshd that tests start for themselves, without starting the machine's own: while the package is configured,
# policy-rc.d(8) says no. Does nothing where sshd is installed already; needs root and apt-get.
set -eu

[ ! -x /usr/sbin/sshd ] || exit 0
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get -q update
apt-get -q -y install --no-install-recommends openssh-server
