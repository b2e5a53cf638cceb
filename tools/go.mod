module github.com/postcall/postcall/tools

go 1.26.0
