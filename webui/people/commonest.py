"""The passwords that everybody who guesses tries first, of those that are long enough."""

from __future__ import annotations

from typing import Final

COMMONEST: Final = frozenset(
    """
    password passwort password1 passw0rd p@ssword p@ssw0rd motdepasse contraseña wachtwoord
    passwordpassword changeme changemeplease letmein letmeinplease iloveyou iloveyousomuch
    welcome welcometo welcomehome administrator administrador adminadmin superuser rootroot
    qwertyuiop qwertzuiop azertyuiop qwerty qwertyuiopasdfghjkl asdfghjkl asdfghjklö zxcvbnm
    1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc zaq12wsxcde qazwsxedc q1w2e3r4t5 qwerty12345 abcdefghij
    abcdefghijk abcdefghijkl abcd123456 abc123456 a123456789 1234567890 12345678910 0123456789
    123456789a 9876543210 0987654321 1122334455 11223344556 1231231231 123123123123 1212121212
    123qweasdzxc 123456qwerty qwerty123456 password123 sunshine princess football baseball
    basketball superman spiderman starwars trustno1 whatever computer internet master dragon
    monkey shadow michael liverpool manchester chelsea barcelona bayernmunchen thisisapassword
    mypassword mypasswordis notapassword secretpassword correcthorsebatterystaple
    stablediffusion stable-diffusion gessogesso gessostudio gesso automatic1111 comfyui
    testtesttest testpassword test123456 demo123456 guest123456 admin123456 user123456 default
    """.split()  # noqa: SIM905 (a list that people read)
)
