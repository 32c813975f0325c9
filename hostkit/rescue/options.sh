# What the kernel's command line says to the rescue system; it overrides what was built in.
#
#   resurgo.ip=ADDRESS/PREFIX[,GATEWAY[,MAC]]   this address on that card (the first with a link without a MAC); `dhcp`; `none`
#   resurgo.dns=ADDRESS[,ADDRESS]               asked before whatever other name servers there are
#   resurgo.vlan=ID                             on that card; with DHCP, and with the captured network, on each card and bond
#   resurgo.keys=new                            makes its host key at boot, whatever was built in
#   resurgo.director=KEY                        lets this director in, and no other: the base64 of its ed25519 public key
#   resurgo.password=HASH                       lets root in by ssh with that password (crypt(3)), besides the director; the consoles ask for none

rescue_host=rescue
[ ! -r /etc/resurgo/rescue.host ] || read -r rescue_host </etc/resurgo/rescue.host

# rescue_options: reads the words of one line on stdin; sets rescue_ip rescue_dns rescue_vlan rescue_new_keys rescue_director rescue_password.
rescue_options() {
  rescue_ip='' rescue_dns='' rescue_vlan='' rescue_new_keys=no rescue_director='' rescue_password=''
  read -r rescue_line
  for rescue_word in $rescue_line; do
    case $rescue_word in
      resurgo.ip=*) rescue_ip=${rescue_word#*=} ;;
      resurgo.dns=*) rescue_dns=${rescue_word#*=} ;;
      resurgo.vlan=*) rescue_vlan=${rescue_word#*=} ;;
      resurgo.keys=new) rescue_new_keys=yes ;;
      resurgo.director=*) rescue_director=${rescue_word#*=} ;;
      resurgo.password=*) rescue_password=${rescue_word#*=} ;;
    esac
  done
}

# rescue_say TEXT: on every console.
rescue_say() {
  read -r rescue_consoles </sys/class/tty/console/active 2>/dev/null || rescue_consoles=console
  for rescue_console in $rescue_consoles; do
    printf '%s\r\n' "$1" >"/dev/$rescue_console" 2>/dev/null
  done
  return 0
}
