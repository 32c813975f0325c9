# Which of ssh's ciphers data goes through.

# ciphers_choose: sets $ciphers, the quickest for this processor first: AES where it has instructions for it, else ChaCha20. Where the kernel does
# not tell (neither `flags` of x86 nor `Features` of ARM), AES.
ciphers_choose() {
  ciphers_can=$(grep -m 1 -E '^(flags|Features)[[:space:]]*:' /proc/cpuinfo 2>/dev/null) || ciphers_can=' aes '
  case "$ciphers_can " in
    *' aes '*) ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr ;;
    *) ciphers=chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr ;;
  esac
  : "$ciphers"
}
