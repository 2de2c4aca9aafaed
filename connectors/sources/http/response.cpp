// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/response.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "connectors/sources/http/characters.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::http {

Response& Response::add(std::string_view name, std::string_view value) {
  if (!std::all_of(value.begin(), value.end(), is_value_character)) return *this;
  fields.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

Response& Response::retry_after(unsigned seconds) { return add("Retry-After", std::to_string(seconds)); }

Response json_response(int status, std::string body) {
  Response response;
  response.status = status;
  response.type = kJson;
  response.body = std::move(body);
  return response;
}

std::string problem_body(int status, std::string_view code, std::string_view detail, const std::vector<Fault>& faults) {
  std::string body;
  json::Writer w(body);
  w.object();
  w.key("type").text("urn:postern:problem:" + std::string(code));
  w.key("title").text(reason_phrase(status));
  w.key("status").number(status);
  if (!detail.empty()) w.key("detail").text(detail);
  if (!faults.empty()) {
    w.key("errors").array();
    for (const Fault& fault : faults) {
      w.object().key("pointer").text(fault.pointer).key("code").text(fault.code);
      w.key("detail").text(fault.detail).end_object();
    }
    w.end_array();
  }
  w.end_object();
  return body;
}

Response problem(int status, std::string_view code, std::string_view detail, const std::vector<Fault>& faults) {
  Response response;
  response.status = status;
  response.type = kProblemJson;
  response.body = problem_body(status, code, detail, faults);
  return response;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

void write_response(std::string& out, const Response& response, std::string_view date, WriteOptions options) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(reason_phrase(response.status));
  out.append("\r\nDate: ").append(date);
  // RFC 9110 section 8.6: no Content-Length with 204.
  if (response.status != 204) out.append("\r\nContent-Length: ").append(std::to_string(response.body.size()));
  if (!response.type.empty()) out.append("\r\nContent-Type: ").append(response.type);
  out.append("\r\nCache-Control: no-store\r\n");
  out.append(response.fields);
  if (options.close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (response.status != 204 && !options.head_only) out.append(response.body);
}

std::string http_date(long long seconds_since_epoch) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = static_cast<std::time_t>(seconds_since_epoch);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  const auto two = [](int value) {
    return std::string{static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
  };
  return std::string(kDays[static_cast<std::size_t>(utc.tm_wday)]) + ", " + two(utc.tm_mday) + " " +
         kMonths[static_cast<std::size_t>(utc.tm_mon)] + " " + std::to_string(utc.tm_year + 1900) + " " +
         two(utc.tm_hour) + ":" + two(utc.tm_min) + ":" + two(utc.tm_sec) + " GMT";
}

}  // namespace postern::http
