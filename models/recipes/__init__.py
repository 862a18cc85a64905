"""The recipes that come with the package, one TOML file each; a bare name such as ``digits`` finds them."""
