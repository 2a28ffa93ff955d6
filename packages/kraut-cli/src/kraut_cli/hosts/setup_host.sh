# What `kraut host add` does on a host, as root, in one session. Idempotent. POSIX sh.
# Set before it: KRAUT_USER, KRAUT_KEY (an authorized_keys line that ends with the mark), KRAUT_MARK (the key's comment),
# KRAUT_SUDO (yes, or no when the user is root or only passes connections on).
# Lines for kraut begin with "kraut:"; anything else on stdout is the host's own noise.
set -eu
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
LC_ALL=C
export PATH LC_ALL KRAUT_KEY KRAUT_MARK
umask 022

say() { printf 'kraut:%s\n' "$*"; }
fail() { say "error $*"; exit 1; }

read_sshd_config() {
    sshd -T -C "user=$KRAUT_USER,host=localhost,addr=127.0.0.1" 2>/dev/null || sshd -T 2>/dev/null || :
}

sshd_values() { printf '%s\n' "$sshd_config" | sed -n "s/^$1 //p"; }

show_host_keys() {
    files=$(sshd_values hostkey)
    [ -n "$files" ] || files=$(ls /etc/ssh/ssh_host_*_key 2>/dev/null || :)
    for file in $files; do
        # The private key says what sshd shows; a .pub file beside it may be older.
        line=$(ssh-keygen -y -P '' -f "$file" 2>/dev/null </dev/null || head -n 1 "$file.pub" 2>/dev/null || :)
        [ -z "$line" ] || say "key $(printf '%s\n' "$line" | cut -d ' ' -f 1,2)"
    done
}

ensure_user() {
    id -u "$KRAUT_USER" >/dev/null 2>&1 && return
    if getent group "$KRAUT_USER" >/dev/null; then group="--gid $KRAUT_USER"; else group=--user-group; fi
    # Password '*': none fits, and unlike '!' sshd does not take the account for a locked one.
    # shellcheck disable=SC2086
    useradd --system --create-home --shell /bin/sh --password '*' --comment kraut.dev $group "$KRAUT_USER" >&2 ||
        fail "the user $KRAUT_USER could not be made; see useradd's message"
    say "did made the user $KRAUT_USER"
}

# As the user itself: root must not follow links that the user may have put there.
ensure_key() {
    [ "$(sshd_values pubkeyauthentication)" != no ] ||
        fail "sshd has PubkeyAuthentication no; set it to yes for $KRAUT_USER"
    keys_file=$(sshd_values authorizedkeysfile)
    case " ${keys_file:-.ssh/authorized_keys} " in
        *" .ssh/authorized_keys "* | *" %h/.ssh/authorized_keys "*) ;;
        *) fail "expected AuthorizedKeysFile .ssh/authorized_keys in sshd_config, found $keys_file; add it for $KRAUT_USER" ;;
    esac
    su -s /bin/sh "$KRAUT_USER" -c '
        set -eu
        umask 077
        cd "$HOME"
        mkdir -p .ssh
        chmod 700 .ssh
        touch .ssh/authorized_keys
        new=$(mktemp .ssh/authorized_keys.XXXXXX)
        trap "rm -f $new" EXIT
        mark=$KRAUT_MARK awk "{ if (\$NF != ENVIRON[\"mark\"]) print }" .ssh/authorized_keys >"$new"
        printf "%s\n" "$KRAUT_KEY" >>"$new"
        cmp -s "$new" .ssh/authorized_keys || { mv "$new" .ssh/authorized_keys && echo kraut:did put the public key in place; }
    ' </dev/null || fail "the key could not be put into ~$KRAUT_USER/.ssh/authorized_keys"
    if command -v restorecon >/dev/null; then restorecon -R "$(getent passwd "$KRAUT_USER" | cut -d : -f 6)/.ssh" || :; fi
}

ensure_sudo_rule() {
    command -v visudo >/dev/null || fail "sudo is not installed; install it, or let kraut log in as root (--as-root)"
    [ -d /etc/sudoers.d ] || fail "expected the folder /etc/sudoers.d, found none"
    # sudo passes over files with a dot in their name, so that a half-written rule never counts.
    new=$(mktemp "/etc/sudoers.d/.$KRAUT_USER.XXXXXX")
    trap 'rm -f "$new"' EXIT
    {
        echo "# kraut (https://kraut.dev): everything kraut does on this host goes through this one command."
        echo "Defaults:$KRAUT_USER !requiretty"
        echo "$KRAUT_USER ALL=(root) NOPASSWD: /bin/sh -s"
    } >"$new"
    chmod 0440 "$new"
    visudo -cf "$new" >/dev/null || fail "visudo refuses the rule; nothing was changed"
    cmp -s "$new" "/etc/sudoers.d/$KRAUT_USER" || { mv "$new" "/etc/sudoers.d/$KRAUT_USER" && say "did put the sudo rule in place"; }
    su -s /bin/sh "$KRAUT_USER" -c 'exec sudo -n /bin/sh -s' </dev/null >/dev/null ||
        fail "the rule in /etc/sudoers.d/$KRAUT_USER has no effect; does /etc/sudoers include /etc/sudoers.d, and does a later rule take it back?"
}

# Warnings only: what sshd allows may depend on the address that kraut-worker comes from.
warn_of_login_limits() {
    if [ "$KRAUT_USER" = root ] && [ "$(sshd_values permitrootlogin)" = no ]; then
        say "warning sshd has PermitRootLogin no: leave --as-root out, or set it to prohibit-password"
    fi
    allowed=$(sshd_values allowusers)
    if [ -n "$allowed" ] && ! printf '%s\n' "$allowed" | grep -q -x -e "$KRAUT_USER" -e "$KRAUT_USER@.*"; then
        say "warning sshd has AllowUsers without $KRAUT_USER: it will not let it in; add it"
    fi
    [ -z "$(sshd_values allowgroups)" ] || say "warning sshd has AllowGroups: see that a group of $KRAUT_USER is among them"
}

main() {
    sshd_config=$(read_sshd_config)
    show_host_keys
    ensure_user
    ensure_key
    [ "$KRAUT_SUDO" != yes ] || ensure_sudo_rule
    warn_of_login_limits
    say done
}

main </dev/null
