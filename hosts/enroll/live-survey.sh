# What is found on a running rescue Linux; run by the administrator's root, changes nothing. One fact a line on stdout. live-look.sh goes
# before it. The arguments name the tools that a recovery needs there.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

echo "root $([ -O / ] && echo yes || echo no)"
reasons=$(look_reasons)
if [ -z "$reasons" ]; then
  echo 'rescue yes'
else
  while IFS= read -r reason; do printf 'refuse %s\n' "$reason"; done <<EOF
$reasons
EOF
fi
[ ! -r /etc/resurgo/rescue.host ] || echo "live $(head -n 1 /etc/resurgo/rescue.host)"
for tool in "$@"; do
  command -v "$tool" >/dev/null 2>&1 || echo "missing $tool"
done
# Of these the GNU version is needed, not just any.
[ -n "$(find / -maxdepth 0 -printf x 2>/dev/null)" ] || echo 'missing find'
stat -c %.Y / >/dev/null 2>&1 || echo 'missing stat'
for manager in apt-get dnf zypper apk; do
  if command -v "$manager" >/dev/null 2>&1; then
    echo "manager $manager"
    break
  fi
done
[ ! -r /etc/os-release ] || sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/os \1/p' /etc/os-release | head -n 1
