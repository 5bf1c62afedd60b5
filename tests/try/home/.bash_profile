# What a person has in it who wants a session on every login on a virtual terminal.
startxd check may-start && startxd start
