-- Uses the language server as a person does, and prints what the editor has received.
local function wait(done)
  assert(vim.wait(20000, done, 20), "nothing came")
end

local function ask(method, line, character)
  local at = { line = line, character = character }
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(0),
    position = at,
    range = { start = at, ["end"] = at },
    context = { diagnostics = {} },
  }
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, params, 20000)) do
    return answer.result
  end
end

wait(function() return #vim.diagnostic.get(0) > 0 end)
print((vim.diagnostic.get(0)[1].message:gsub("\n.*", "")))

local shown = ask("textDocument/hover", 1, 49)
print("hover " .. shown.contents.value:gsub("\n.*", ""))

vim.api.nvim_buf_set_text(0, 1, 12, 1, 12, { "payer.document." })
local labels = {}
for _, item in ipairs(ask("textDocument/completion", 1, 27).items) do
  table.insert(labels, item.label)
end
print("complete " .. table.concat(labels, " "))
vim.api.nvim_buf_set_text(0, 1, 12, 1, 27, { "" })

local fixes
wait(function()
  fixes = ask("textDocument/codeAction", 1, 25)
  return #fixes > 0
end)
print("fix " .. fixes[1].title)
vim.lsp.util.apply_workspace_edit(fixes[1].edit, "utf-16")
print(vim.api.nvim_buf_get_lines(0, 1, 2, false)[1])
wait(function() return #vim.diagnostic.get(0) == 0 end)
vim.cmd("quitall!")
