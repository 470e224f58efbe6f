#!/usr/bin/env bash
# ./dev fresh [--keep] [--quickstart-only] [--cached-test]: proves ./quickstart and ./test on a bare Debian 12.
#
# --cached-test lends this machine's compiler cache to ./test (not to ./quickstart, whose time is what counts).
#
# Makes a clean root with debootstrap, clones HEAD into it, and runs both commands there with times. The
# root uses this machine's own package sources and certificates. Needs root (chroot, mount).
set -euo pipefail
cd "$(dirname "$0")/.."

keep=no
cached=no
commands="quickstart test"
for argument in "$@"; do
  case "$argument" in
    --keep) keep=yes ;;
    --quickstart-only) commands="quickstart" ;;
    --cached-test) cached=yes ;;
    *) echo "usage: ./dev fresh [--keep] [--quickstart-only] [--cached-test]" >&2; exit 1 ;;
  esac
done
[ "$(id -u)" -eq 0 ] || { echo "./dev fresh needs root: it uses chroot and mount" >&2; exit 1; }

data="${ATHANOR_DATA:-$(cd .. && pwd)/shared/data}"
root="$(mktemp -d "${TMPDIR:-/tmp}/athanor-fresh.XXXXXX")"
cleanup() {
  for mount in root/.cache/ccache shared/data dev proc; do umount -l "$root/$mount" 2>/dev/null || true; done
  [ "$keep" = yes ] && echo "kept: $root" || rm -rf --one-file-system "$root"
}
trap cleanup EXIT

mirror="$(sed -n 's/^URIs: *//p; s/^deb *\(\[[^]]*\] *\)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1 || true)"
echo "debootstrap bookworm into a clean root"
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
  { tail -n 20 "$root.log"; exit 1; }

# The same package sources, access and trust as this machine; nothing else of it.
cp -rL /etc/apt/sources.list.d /etc/apt/auth.conf.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
rm -f "$root/etc/apt/sources.list"
if [ -f /etc/apt/sources.list ]; then cp -L /etc/apt/sources.list "$root/etc/apt/"; fi
rm -f "$root"/etc/apt/sources.list.d/*.disabled* "$root"/etc/apt/apt.conf.d/docker-clean
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
  if [ -f "$file" ]; then cp -L "$file" "$root$file"; fi
done
mkdir -p "$root/etc/ssl/certs" "$root/usr/share/keyrings"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -Ln /usr/share/keyrings/*.gpg "$root/usr/share/keyrings/" 2>/dev/null || true
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
if [ -d "$data" ]; then
  mkdir -p "$root/shared/data"
  mount --bind -o ro "$data" "$root/shared/data"
fi
git clone -q --no-hardlinks . "$root/athanor"

failed=0
for command in $commands; do
  if [ "$cached$command" = yestest ]; then
    mkdir -p "$root/root/.cache/ccache"
    mount --bind "$(ccache --get-config cache_dir)" "$root/root/.cache/ccache"
  fi
  begin=$(date +%s)
  echo "== ./$command in a clean root"
  if env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PIP_CERT="${PIP_CERT:-}" \
      SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt chroot "$root" /athanor/"$command" >"$root.$command.log" 2>&1; then
    verdict=ok
  else
    verdict=FAILED
    failed=1
  fi
  tail -n 15 "$root.$command.log"
  echo "== ./$command: $verdict in $(($(date +%s) - begin)) s"
done
exit $failed
