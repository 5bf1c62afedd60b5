# For people who stay with startx: gives its display to the user manager, as startxd does with its own.
#
# An example. Where xinitrc reads a directory (Arch, Fedora), copy it to /etc/X11/xinit/xinitrc.d, executable; on Debian
# to /etc/X11/Xsession.d/95startxd-attach; or write the line into ~/.xinitrc, before the window manager. It takes the
# place of 50-systemd-user.sh, and nothing has to be undone: when the display is gone, so is everything of it.

# Not in a session of startxd, which has done this.
[ -e "$XDG_RUNTIME_DIR/startxd/session.toml" ] || startxd attach || :
