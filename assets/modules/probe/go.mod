module holdfast.dev/assets/probe

go 1.26.0
