"""Weather effects: a file each; `effects` lists what each does to the light and what each draws."""
