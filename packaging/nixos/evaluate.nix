# Evaluates module.nix and package.nix without nixpkgs: the few functions of `lib` that they call stand here, as nixpkgs
# has them. The outcome is what a machine with `services.startxd` enabled for ada would get. For scripts/check-recipes.
let
  lib = {
    mkOption = option: { _type = "option"; } // option;
    mkEnableOption = name: lib.mkOption { default = false; description = "Whether to enable ${name}."; type = lib.types.bool; };
    mkIf = condition: content: if condition then content else { };
    mkDefault = value: value;
    types = {
      bool = "bool";
      str = "str";
      package = "package";
      listOf = type: "list of ${type}";
    };
    listToAttrs = builtins.listToAttrs;
    nameValuePair = name: value: { inherit name value; };
    cleanSource = path: path;
    licenses.mit = "mit";
    platforms.linux = [ "x86_64-linux" ];
  };

  pkgs = {
    callPackage = file: arguments:
      let function = import file; in
      function (builtins.intersectAttrs (builtins.functionArgs function) everything // arguments);
    formats.toml = _: {
      type = "toml";
      generate = name: value: { inherit name value; };
    };
    xorg.xorgserver = "/nix/store/xorg-server";
  };
  everything = {
    inherit lib;
    stdenv.mkDerivation = derivation: derivation;
    rustPlatform = {
      importCargoLock = { lockFile }: assert builtins.pathExists lockFile; "vendored";
      cargoSetupHook = "cargo-setup-hook";
    };
    cargo = "cargo";
    rustc = "rustc";
    pkg-config = "pkg-config";
    systemd = "systemd";
  };

  module = { settings, ... }@given:
    let
      evaluated = import ./module.nix { inherit lib pkgs; config.services.startxd = options // given; };
      options = builtins.mapAttrs (_: option: option.default) evaluated.options.services.startxd;
    in
    evaluated;

  wanted = module { enable = true; users = [ "ada" ]; settings.server.binary = "/bin/Xorg"; };
  package = pkgs.callPackage ./package.nix { };
in
{
  options = builtins.attrNames wanted.options.services.startxd;
  described = builtins.all (option: option ? description && option ? type) (builtins.attrValues wanted.options.services.startxd);
  off = (module { settings = { }; }).config;
  units = wanted.config.systemd.services;
  binary = wanted.config.services.startxd.settings.server.binary;
  etc = builtins.attrNames wanted.config.environment.etc;
  settings = wanted.config.environment.etc."startxd/startxd.toml".source.value;
  pam = wanted.config.security.pam.services.startxd;
  installed = map (package: package.pname) wanted.config.environment.systemPackages;
  inherit (package) pname version makeFlags;
}
