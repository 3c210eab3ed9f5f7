# yaml.awk - prints the YAML of a seed as lines PATH<TAB>VALUE, list elements counted from 0:
#     write_files/0/path<TAB>/etc/motd
# Understands what seeds use: block mappings and lists, plain and quoted scalars on one line, literal
# and folded blocks, flow lists and mappings (so all of JSON), comments. Newlines, tabs and
# backslashes in values are printed as \n, \t and \\. Anchors, tags and multi-line plain scalars
# are not understood.

# joined - with 'glue' for each 'separator'. What a backslash means in gsub() differs between awks.
function joined(text, separator, glue,    parts, count, i, all) {
    count = split(text, parts, separator)
    all = parts[1]
    for (i = 2; i <= count; i++) all = all glue parts[i]
    return all
}

function emit(path, value) {
    value = joined(value, "\\", "\\\\")
    value = joined(value, "\n", "\\n")
    value = joined(value, "\t", "\\t")
    print substr(path, 2) "\t" value
}

function trim(s) { sub(/^[ \t]+/, "", s); sub(/[ \t\r]+$/, "", s); return s }

function utf8(code) {
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
}

function hex(s,    i, n) {
    for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
    return n
}

# Reads the quoted scalar that starts at 'at' of 'flow'; leaves 'at' behind its closing quote.
function quoted(    quote, c, value) {
    quote = substr(flow, at++, 1)
    while (at <= length(flow)) {
        c = substr(flow, at++, 1)
        if (c == quote) {
            if (quote == "'" && substr(flow, at, 1) == "'") { value = value "'"; at++; continue }
            return value
        }
        if (c == "\\" && quote == "\"") {
            c = substr(flow, at++, 1)
            if (c == "n") c = "\n"
            else if (c == "t") c = "\t"
            else if (c == "r") c = "\r"
            else if (c == "e") c = "\033"
            else if (c == "x") { c = utf8(hex(substr(flow, at, 2))); at += 2 }
            else if (c == "u") { c = utf8(hex(substr(flow, at, 4))); at += 4 }
        }
        value = value c
    }
    return value
}

function skip_space() { while (substr(flow, at, 1) ~ /[ \t\r\n]/) at++ }

# Prints the flow value that starts at 'at': a list, a mapping or a scalar.
function flow_value(path,    c, n, key, from) {
    skip_space()
    c = substr(flow, at, 1)
    if (c == "[") {
        for (at++; at <= length(flow); ) {
            skip_space(); c = substr(flow, at, 1)
            if (c == "]") { at++; return }
            if (c == ",") { at++; continue }
            flow_value(path "/" n++)
        }
    } else if (c == "{") {
        for (at++; at <= length(flow); ) {
            skip_space(); c = substr(flow, at, 1)
            if (c == "}") { at++; return }
            if (c == ",") { at++; continue }
            if (c == "\"" || c == "'") key = quoted()
            else { from = at; while (at <= length(flow) && substr(flow, at, 1) !~ /[:,}]/) at++
                   key = trim(substr(flow, from, at - from)) }
            skip_space()
            if (substr(flow, at, 1) == ":") { at++; flow_value(path "/" key) }
            else emit(path "/" key, "")
        }
    } else if (c == "\"" || c == "'") {
        emit(path, quoted())
    } else {
        from = at
        while (at <= length(flow) && substr(flow, at, 1) !~ /[],}\n]/) at++
        if (at == from) at++
        emit(path, trim(substr(flow, from, at - from)))
    }
}

# True once all brackets and quotes of 's' are closed.
function is_balanced(s,    i, c, depth, quote) {
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (quote != "") {
            if (c == "\\" && quote == "\"") i++
            else if (c == quote) quote = ""
        } else if (c == "\"" || c == "'") quote = c
        else if (c == "[" || c == "{") depth++
        else if (c == "]" || c == "}") depth--
    }
    return depth <= 0
}

function push(indent, path, is_list) {
    top++; indents[top] = indent; paths[top] = path; lists[top] = is_list; counts[top] = 0
}

function flush_pending() {
    if (pending != "") emit(pending, "")
    pending = ""
}

# Prints the value behind a key or a dash, or begins what follows on the next lines.
function scalar(path, indent, value) {
    if (value == "") { pending = path; pending_indent = indent; return }
    if (value ~ /^[|>][-+0-9]*$/) {
        block = path; block_style = substr(value, 1, 1); block_chomp = value ~ /-/ ? "-" : ""
        block_parent = indent; block_indent = -1; block_text = ""
        return
    }
    if (value ~ /^[[{]/) {
        flow = value; flow_path = path
        if (is_balanced(flow)) { at = 1; flow_value(path); flow_path = "" }
        return
    }
    if (value ~ /^["']/) { flow = value; at = 1; emit(path, quoted()); return }
    sub(/[ \t]+#.*$/, "", value)
    emit(path, value)
}

function key_length(s) {
    if (match(s, /^"[^"]*"[ ]*:([ ]|$)/) || match(s, /^'[^']*'[ ]*:([ ]|$)/) ||
        match(s, /^[^][{}"'#,&*!|>%@` -][^:#]*:([ ]|$)/) || match(s, /^[A-Za-z0-9_.\/-]+:([ ]|$)/)) return RLENGTH
    return 0
}

function end_block() {
    if (block_chomp == "") sub(/\n+$/, "\n", block_text); else sub(/\n+$/, "", block_text)
    emit(block, block_text)
    block = ""
}

function line(s,    indent, n, key) {
    match(s, /^ */); indent = RLENGTH; s = trim(s)
    if (s == "" || s ~ /^#/ || s == "---" || s == "...") return
    if (pending != "") {
        if (indent > pending_indent || (indent == pending_indent && s ~ /^-([ ]|$)/)) {
            push(indent, pending, s ~ /^-([ ]|$)/); pending = ""
        } else flush_pending()
    }
    if (top == 0) push(indent, "", s ~ /^-([ ]|$)/)
    while (top > 1 && (indents[top] > indent || (indents[top] == indent && lists[top] && s !~ /^-([ ]|$)/))) top--
    while (s ~ /^-([ ]|$)/) {
        key = paths[top] "/" counts[top]++
        n = indent
        match(s, /^-[ ]*/); indent += RLENGTH; s = substr(s, RLENGTH + 1)
        if (s == "") { pending = key; pending_indent = n; return }
        if (s ~ /^- /) push(indent, key, 1)
        else if (key_length(s)) push(indent, key, 0)
        else { scalar(key, n, s); return }
    }
    if (!(n = key_length(s))) return
    key = substr(s, 1, n); sub(/[ ]*:[ ]*$/, "", key); gsub(/^["']|["']$/, "", key)
    scalar(paths[top] "/" key, indent, trim(substr(s, n + 1)))
}

{
    sub(/\r$/, "")
    if (NR == 1) sub(/^\357\273\277/, "")
    if (flow_path != "" || (top == 0 && pending == "" && block == "" && $0 ~ /^[[{]/)) {
        if (flow_path == "") { flow = $0; flow_path = "/"; is_root = 1 } else flow = flow "\n" $0
        if (is_balanced(flow)) { at = 1; flow_value(is_root ? "" : flow_path); flow_path = ""; is_root = 0 }
        next
    }
    if (block != "") {
        match($0, /^ */)
        if (trim($0) == "") { block_text = block_text "\n"; next }
        if (block_indent < 0 && RLENGTH > block_parent) block_indent = RLENGTH
        if (block_indent >= 0 && RLENGTH >= block_indent) {
            block_text = block_text substr($0, block_indent + 1) (block_style == "|" ? "\n" : " ")
            next
        }
        end_block()
    }
    line($0)
}

END {
    if (block != "") end_block()
    flush_pending()
}
