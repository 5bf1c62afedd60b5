# startxd for callPackage of nixpkgs.
{ lib, stdenv, rustPlatform, cargo, rustc, pkg-config, systemd }:

stdenv.mkDerivation {
  pname = "startxd";
  version = "0.1.0";
  src = lib.cleanSource ../..;

  cargoDeps = rustPlatform.importCargoLock { lockFile = ../../Cargo.lock; };
  nativeBuildInputs = [ cargo rustc rustPlatform.cargoSetupHook pkg-config ];
  buildInputs = [ systemd ];

  postPatch = "patchShebangs scripts";
  buildFlags = [ "build" ];
  # The PAM file is an example here: the module has NixOS write its own.
  makeFlags = [
    "PREFIX=$(out)"
    "USERUNITDIR=$(out)/lib/systemd/user"
    "SYSTEMUNITDIR=$(out)/lib/systemd/system"
    "PAMDIR=$(out)/share/startxd/pam.d"
    "PAM_DIALECT=arch"
  ];

  meta = {
    description = "startx, done by systemd: rootless Xorg and a window manager as systemd user units";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "startxd";
  };
}
