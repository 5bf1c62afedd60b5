# A NixOS module: services.startxd. In a configuration:
#
#   imports = [ ./startxd/packaging/nixos/module.nix ];
#   services.startxd.enable = true;
#
# and then `startxd start i3` on a virtual terminal, or a session at every boot:
#
#   services.startxd.users = [ "ada" ];
{ config, lib, pkgs, ... }:

let
  cfg = config.services.startxd;
  toml = pkgs.formats.toml { };
in
{
  options.services.startxd = {
    enable = lib.mkEnableOption "startxd, which starts Xorg and a window manager as systemd user units";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      description = "The package of startxd.";
    };

    settings = lib.mkOption {
      type = toml.type;
      default = { };
      example = { session.default = "i3"; };
      description = "What is in /etc/startxd/startxd.toml, see startxd.toml(5).";
    };

    users = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "ada" ];
      description = "Users who have a session after every boot, on a terminal of its own and without a password.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."startxd/startxd.toml".source = toml.generate "startxd.toml" cfg.settings;

    # NixOS has Xorg in none of the directories where other distributions have it.
    services.startxd.settings.server.binary = lib.mkDefault "${pkgs.xorg.xorgserver}/bin/Xorg";

    # Its units, of the system and of users, are those of the package.
    systemd.packages = [ cfg.package ];
    systemd.services = lib.listToAttrs (map
      (user: lib.nameValuePair "startxd@${user}" {
        overrideStrategy = "asDropin";
        wantedBy = [ "graphical.target" ];
      })
      cfg.users);

    # systemd opens these sessions (PAMName=startxd) and asks nobody for a password.
    security.pam.services.startxd = {
      startSession = true;
      allowNullPassword = false;
      unixAuth = false;
    };
  };
}
