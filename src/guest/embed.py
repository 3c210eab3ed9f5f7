"""embed.py PROGRAM OUTPUT - writes a program's bytes as the array that guest/identity.h declares."""
import sys

with open(sys.argv[1], "rb") as program:
    data = program.read()
with open(sys.argv[2], "w", encoding="ascii") as output:
    output.write('#include "guest/identity.h"\n\nconst unsigned char guest_identity_program[] = {\n')
    for at in range(0, len(data), 16):
        output.write("    " + " ".join(f"0x{byte:02x}," for byte in data[at:at + 16]) + "\n")
    output.write("};\nconst size_t guest_identity_program_size = sizeof guest_identity_program;\n")
