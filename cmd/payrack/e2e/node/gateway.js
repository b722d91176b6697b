'use strict'

// The client under test has LINE Pay's hosts built in and takes no other. Its connections are led to the sandbox from
// below: what it signs, and every byte of what it sends, stays as it is.

const http = require('node:http')
const https = require('node:https')
const net = require('node:net')

const sandbox = new URL(process.env.SANDBOX_URL)

class ToSandbox extends http.Agent {
  get protocol() {
    return 'https:'
  }

  set protocol(_) {}

  createConnection() {
    return net.connect(Number(sandbox.port), sandbox.hostname)
  }
}

https.globalAgent = new ToSandbox()
