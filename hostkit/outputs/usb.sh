# usb: the iso is hybrid already: written to a stick as it is, it boots there.

output_usb_needs() { output_iso_needs; }

output_usb_make() { [ -f out/rescue.iso ] || output_iso_make; }
