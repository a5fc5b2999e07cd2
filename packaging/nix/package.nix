# pkgs.callPackage ./package.nix { }
{
  lib,
  python3Packages,
  fetchurl,
}:

python3Packages.buildPythonApplication rec {
  pname = "tpmwire";
  version = "@VERSION@";
  pyproject = true;

  src = fetchurl {
    url = "@URL@/releases/download/v${version}/tpmwire-${version}.tar.gz";
    hash = "sha256:@SHA256@";
  };

  build-system = with python3Packages; [
    construct
    hatchling
  ];
  dependencies = with python3Packages; [
    asn1crypto
    construct
    cryptography
    pyopenssl
  ];

  # They need swtpm and moto.
  doCheck = false;
  pythonImportsCheck = [ "tpmwire" ];

  postInstall = ''
    for name in tpmwire aws-tpm-process-credential; do
      install -D -m 644 cli/completions/$name.bash $out/share/bash-completion/completions/$name
      install -D -m 644 cli/completions/$name.zsh $out/share/zsh/site-functions/_$name
      install -D -m 644 cli/completions/$name.fish $out/share/fish/vendor_completions.d/$name.fish
    done
    install -D -m 644 -t $out/lib/systemd/system packaging/systemd/tpmwire.service packaging/systemd/tpmwire.socket \
      packaging/systemd/tpmwire-renew.service packaging/systemd/tpmwire-renew.timer
    install -D -m 644 -t $out/lib/systemd/user packaging/systemd/user/*
    for unit in tpmwire.service tpmwire-renew.service; do
      substituteInPlace $out/lib/systemd/system/$unit --replace-fail /usr/local $out
    done
    install -D -m 644 -t $out/lib/udev/rules.d packaging/udev/50-tpmwire.rules
  '';

  meta = {
    description = "AWS credentials whose secret key never leaves the TPM";
    homepage = "@URL@";
    license = lib.licenses.asl20;
    mainProgram = "tpmwire";
    platforms = lib.platforms.linux;
  };
}
